//! The first program in a sandbox: `ioc-runner inside OPTIONS -- PROGRAM ARGUMENTS`.
//!
//! It becomes the agent's user, sets the limits that the kernel keeps per process, forwards a port of the sandbox's
//! loopback to the socket of the gateway, starts the agent with its own standard input, output and error, and ends with
//! the agent's exit code. What goes wrong before the agent runs is written to standard error, with exit code 125.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::{
        ffi::OsStrExt,
        process::{CommandExt, ExitStatusExt},
    },
    path::PathBuf,
    process::ExitStatus,
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, UnixStream},
    task::JoinSet,
};

use super::spec::{AgentProgram, AgentUser};

const FAILURE: i32 = 125;

/// What stands in front of the names of the agent's variables until the agent starts.
pub(super) const HIDDEN_PREFIX: &str = "IOC_AGENT_ENVIRONMENT_";

/// The instructions of the runner.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// A port of 127.0.0.1, and the socket to which its connections are forwarded.
    forwards: Vec<(u16, PathBuf)>,
    user: Option<AgentUser>,
    /// The bubblewrap that keeps the user from making user namespaces.
    confine: Option<PathBuf>,
    /// The current folder of the program.
    directory: Option<PathBuf>,
    processes: Option<u64>,
    file_bytes: Option<u64>,
    /// Print the facts of this sandbox instead of starting a program.
    facts: bool,
    program: Option<OsString>,
    arguments: Vec<OsString>,
}

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
    limit_processes_and_files(&options).map_err(|error| format!("the limits cannot be set: {error}"))?;
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

async fn serve_and_run(options: Options) -> Result<i32, String> {
    let mut forwarders = JoinSet::new();
    for (port, socket) in options.forwards {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.map_err(|error| format!("port {port} cannot be opened: {error}"))?;
        forwarders.spawn(forward_connections(listener, socket));
    }
    let program = AgentProgram {
        program: options.program.map(PathBuf::from).ok_or("no program is named after --")?,
        arguments: options.arguments,
    };
    let mut command = tokio::process::Command::new(&program.program);
    command.args(&program.arguments).env_clear().envs(reveal_environment());
    command.current_dir(options.directory.unwrap_or_else(|| "/".into()));
    let mut child =
        command.spawn().map_err(|error| format!("{} cannot be started: {error}", program.program.display()))?;
    let status = child.wait().await.map_err(|error| error.to_string())?;
    Ok(exit_code(status))
}

/// The agent's environment, which was hidden from the programs before the agent. Ours is not inherited.
fn reveal_environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.as_bytes().strip_prefix(HIDDEN_PREFIX.as_bytes())?;
        Some((OsStr::from_bytes(name).to_owned(), value))
    })
}

/// As a shell reports it: 128 and the signal's number for a program that a signal ended.
fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(FAILURE)
}

async fn forward_connections(listener: TcpListener, socket: PathBuf) {
    let mut connections = JoinSet::new();
    loop {
        // Ended connections are removed as they end, so that the set does not grow.
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((mut from, _)) => {
                    let socket = socket.clone();
                    connections.spawn(async move {
                        // Small pieces of a stream must not wait for more to send.
                        let _ = from.set_nodelay(true);
                        if let Ok(mut to) = UnixStream::connect(&socket).await {
                            let _ = copy_bidirectional(&mut from, &mut to).await;
                        }
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

fn parse_options(arguments: &[OsString]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let name = name.to_str().ok_or("an option is not UTF-8")?;
        match name {
            "--facts" => options.facts = true,
            "--" => {
                options.program = arguments.next().cloned();
                options.arguments = arguments.by_ref().cloned().collect();
            }
            "--confine" | "--directory" | "--forward" | "--user" | "--processes" | "--file-bytes" => {
                let value = arguments.next().and_then(|value| value.to_str());
                let value = value.ok_or_else(|| format!("{name} needs a value"))?;
                read_option(&mut options, name, value).ok_or_else(|| format!("{name} cannot be {value}"))?;
            }
            other => return Err(format!("the option {other} does not exist")),
        }
    }
    Ok(options)
}

fn read_option(options: &mut Options, name: &str, value: &str) -> Option<()> {
    match name {
        "--confine" => options.confine = Some(value.into()),
        "--directory" => options.directory = Some(value.into()),
        "--forward" => {
            let (port, socket) = value.split_once('=')?;
            options.forwards.push((port.parse().ok()?, socket.into()));
        }
        "--user" => {
            let (uid, gid) = value.split_once(':')?;
            let user = AgentUser { uid: uid.parse().ok()?, gid: gid.parse().ok()? };
            options.user = Some(user);
        }
        "--processes" => options.processes = Some(value.parse().ok()?),
        _ => options.file_bytes = Some(value.parse().ok()?),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<Options, String> {
        parse_options(&texts.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_end_at_the_program_and_its_arguments_stay_as_they_are() {
        let options = parse(&["--forward", "80=/a.sock", "--user", "7:8", "--processes", "9", "--", "sh", "--user"]);
        let expected = Options {
            forwards: vec![(80, "/a.sock".into())],
            user: Some(AgentUser { uid: 7, gid: 8 }),
            processes: Some(9),
            program: Some("sh".into()),
            arguments: vec!["--user".into()],
            ..Options::default()
        };
        assert_eq!(options.unwrap(), expected);
    }

    #[test]
    fn a_wrong_option_is_refused_by_its_name() {
        assert_eq!(parse(&["--forward", "http=/a"]).unwrap_err(), "--forward cannot be http=/a");
        assert_eq!(parse(&["--forward"]).unwrap_err(), "--forward needs a value");
        assert_eq!(parse(&["--open"]).unwrap_err(), "the option --open does not exist");
    }
}
