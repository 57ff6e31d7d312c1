//! The command `ioc`: one name for three programs. `ioc runner ...` and `ioc doctor` are the runner's, everything else
//! is the server's. It contains neither, so that a machine needs only the programs that it uses.

mod program;

use std::{ffi::OsString, os::unix::process::CommandExt, process::ExitCode};

use clap::{Parser, Subcommand};

use program::{Program, find_program};

/// The control plane for autonomous coding sessions.
#[derive(Parser)]
#[command(version)]
struct Ioc {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take sessions from a control plane, and run coding agents in sandboxes: `ioc runner start`
    #[command(disable_help_flag = true)]
    Runner(Rest),
    /// Say what this machine can isolate, and why not more
    #[command(disable_help_flag = true)]
    Doctor(Rest),
    /// Start everything, show the main job once, and serve the API until Ctrl-C
    #[command(disable_help_flag = true)]
    Up(Rest),
    /// Show the main job against the running ioc; succeeds only when it really completed
    #[command(disable_help_flag = true)]
    Demo(Rest),
    /// Print a new link that opens the dashboard of the running ioc signed in
    #[command(disable_help_flag = true)]
    Link(Rest),
    /// Commands for the authors of agents: `ioc agent conformance`
    #[command(disable_help_flag = true)]
    Agent(Rest),
    /// Commands for the audit log
    #[command(disable_help_flag = true)]
    Audit(Rest),
    /// Run a command, such as tests, with a private Postgres and Valkey whose addresses are in its environment
    #[command(disable_help_flag = true)]
    Services(Rest),
}

/// The arguments that are passed on as they are.
#[derive(clap::Args)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

impl Command {
    /// The program for this command, and what it is given.
    fn split(self) -> (Program, Vec<OsString>) {
        let server = |name: &str, rest: Rest| {
            (Program::Server, [OsString::from(name)].into_iter().chain(rest.arguments).collect())
        };
        match self {
            Self::Runner(rest) => (Program::Runner, rest.arguments),
            Self::Doctor(rest) => {
                (Program::Runner, [OsString::from("doctor")].into_iter().chain(rest.arguments).collect())
            }
            Self::Up(rest) => server("up", rest),
            Self::Demo(rest) => server("demo", rest),
            Self::Link(rest) => server("link", rest),
            Self::Agent(rest) => server("agent", rest),
            Self::Audit(rest) => server("audit", rest),
            Self::Services(rest) => server("services", rest),
        }
    }
}

fn main() -> ExitCode {
    let (program, arguments) = Ioc::parse().command.split();
    let Some(file) = find_program(program) else {
        eprintln!("ioc: the program {} is neither beside ioc nor on the PATH", program.name());
        eprintln!("ioc: in a checkout, `make build` makes it");
        return ExitCode::FAILURE;
    };
    // It takes the place of this process, so that signals and the exit code are its own.
    let error = std::process::Command::new(&file).args(arguments).exec();
    eprintln!("ioc: {} cannot be started: {error}", file.display());
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(words: &[&str]) -> (Program, Vec<OsString>) {
        Ioc::try_parse_from([&["ioc"], words].concat()).unwrap_or_else(|error| panic!("{error}")).command.split()
    }

    #[test]
    fn a_command_reaches_its_program_with_all_of_its_arguments() {
        let words = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        for (given, program, passed) in [
            (&["runner", "start", "--slots", "2"][..], Program::Runner, &["start", "--slots", "2"][..]),
            (&["doctor"], Program::Runner, &["doctor"]),
            (&["up", "--no-demo"], Program::Server, &["up", "--no-demo"]),
            (&["up", "--help"], Program::Server, &["up", "--help"]),
            (&["services", "--", "make", "-j2"], Program::Server, &["services", "--", "make", "-j2"]),
        ] {
            assert_eq!(split(given), (program, words(passed)), "{given:?}");
        }
        assert!(Ioc::try_parse_from(["ioc", "unknown"]).is_err());
    }
}
