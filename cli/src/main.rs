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
    Runner,
    /// Say what this machine can isolate, and why not more
    Doctor,
    /// Start everything, show the main job once, and serve the API until Ctrl-C
    Up,
    /// Show the main job against the running ioc; succeeds only when it really completed
    Demo,
    /// Print a new link that opens the dashboard of the running ioc signed in
    Link,
    /// Commands for the authors of agents: `ioc agent conformance`
    Agent,
    /// Commands for the audit log
    Audit,
    /// Run a command, such as tests, with a private Postgres and Valkey whose addresses are in its environment
    Services,
}

impl Command {
    /// The program for this command, and the name that the command has there. The runner's own commands are arguments.
    const fn target(&self) -> (Program, Option<&'static str>) {
        match self {
            Self::Runner => (Program::Runner, None),
            Self::Doctor => (Program::Runner, Some("doctor")),
            Self::Up => (Program::Server, Some("up")),
            Self::Demo => (Program::Server, Some("demo")),
            Self::Link => (Program::Server, Some("link")),
            Self::Agent => (Program::Server, Some("agent")),
            Self::Audit => (Program::Server, Some("audit")),
            Self::Services => (Program::Server, Some("services")),
        }
    }
}

/// The program that a command line is for, and its arguments there. Only the name of the command is read here: whatever
/// follows it is passed on as it is.
fn route(line: impl IntoIterator<Item = OsString>) -> Result<(Program, Vec<OsString>), clap::Error> {
    let mut words = line.into_iter();
    let own: Vec<_> = words.by_ref().take(2).collect();
    let (program, name) = Ioc::try_parse_from(own)?.command.target();
    Ok((program, name.map(OsString::from).into_iter().chain(words).collect()))
}

fn main() -> ExitCode {
    let (program, arguments) = route(std::env::args_os()).unwrap_or_else(|error| error.exit());
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
            assert_eq!(route(words(&[&["ioc"], given].concat())).unwrap(), (program, words(passed)), "{given:?}");
        }
        assert!(route(words(&["ioc", "unknown"])).is_err() && route(words(&["ioc"])).is_err());
    }
}
