//! The first program of an agent: `ioc-runner inside OPTIONS -- PROGRAM ARGUMENTS`.
//!
//! It becomes the agent's user, sets the limits that the kernel keeps per process, forwards ports of the sandbox's
//! loopback to the sockets of the runner, starts the agent with its own standard input, output and error, and ends with
//! the agent's exit code. What goes wrong before the agent runs is written to standard error, with exit code 125.

mod options;
mod supervisor;

use std::{ffi::OsString, io, os::unix::process::CommandExt, path::PathBuf};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use self::{
    options::{Options, parse_options},
    supervisor::{FAILURE, end_own_processes, serve_and_run},
};
use super::{system_calls::restrict_system_calls, user::AgentUser};

/// The facts by which the runner recognises a working sandbox, as JSON on one line.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub(super) struct SandboxFacts {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The network interfaces except the loopback.
    pub(super) interfaces: Vec<String>,
    /// The processes that can be seen.
    pub(super) processes: usize,
}

/// Runs the mode `inside`, given the arguments after that word, and returns the exit code.
///
/// Call it before anything else in the program: it may replace the process to change its user.
pub fn run_inside(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    run(&arguments).unwrap_or_else(|message| {
        report(&message);
        FAILURE
    })
}

#[expect(clippy::print_stderr, reason = "standard error is the only way out of the sandbox before the agent runs")]
fn report(message: &str) {
    eprintln!("ioc-runner inside: {message}");
}

fn run(arguments: &[OsString]) -> Result<i32, String> {
    let options = parse_options(arguments)?;
    if let Some(user) = options.user.filter(|_| nix::unistd::geteuid().is_root()) {
        return Err(format!("the agent's user cannot be taken: {}", become_user(user, options.confine, arguments)));
    }
    if nix::unistd::geteuid().is_root() {
        return Err("an agent never runs as uid 0".to_owned());
    }
    if options.end_processes {
        end_own_processes(options.has_own_user());
        return Ok(0);
    }
    limit_processes_and_files(&options).map_err(|error| format!("the limits cannot be set: {error}"))?;
    if options.supervise.is_none() {
        restrict_system_calls().map_err(|error| format!("the system calls cannot be restricted: {error}"))?;
    }
    if options.facts {
        return print_facts();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|one| one.to_string())?;
    runtime.block_on(serve_and_run(options))
}

/// Starts this program again as another user: the kernel then drops every capability, and the standard library every
/// group. Returns only if that fails.
fn become_user(user: AgentUser, bubblewrap: Option<PathBuf>, arguments: &[OsString]) -> io::Error {
    if user.uid == 0 || user.gid == 0 {
        return io::Error::other("an agent never runs as uid 0 or gid 0");
    }
    let own = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut command = match bubblewrap {
        Some(bubblewrap) => {
            let mut command = std::process::Command::new(bubblewrap);
            command.args(["--unshare-user", "--disable-userns", "--die-with-parent", "--dev-bind", "/", "/", "--"]);
            command.arg(own);
            command
        }
        None => std::process::Command::new(own),
    };
    command.arg("inside").args(arguments).uid(user.uid).gid(user.gid).exec()
}

/// `RLIMIT_AS` is never set: Node and OpenCode reserve more address space than they use, and cannot start under it.
fn limit_processes_and_files(options: &Options) -> nix::Result<()> {
    let limits = [
        (Resource::RLIMIT_NPROC, options.processes),
        (Resource::RLIMIT_FSIZE, options.file_bytes),
        (Resource::RLIMIT_CORE, Some(0)),
    ];
    for (resource, limit) in limits {
        if let Some(limit) = limit {
            let limit = limit.min(getrlimit(resource)?.1);
            setrlimit(resource, limit, limit)?;
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the runner reads the facts from standard output")]
fn print_facts() -> Result<i32, String> {
    let interfaces = std::fs::read_to_string("/proc/net/dev").map_err(|error| error.to_string())?;
    let names = interfaces.lines().skip(2).filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    let facts = SandboxFacts {
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
        interfaces: names.filter(|name| *name != "lo").map(str::to_owned).collect(),
        processes: super::process_tree::read_processes().len(),
    };
    println!("{}", serde_json::to_string(&facts).map_err(|error| error.to_string())?);
    Ok(0)
}
