//! Runs the agent's program to its end, and without a sandbox ends what it leaves.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        prctl::{set_child_subreaper, set_no_new_privs, set_pdeathsig},
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Pid, geteuid, getpid, getppid, setsid},
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use super::{
    super::{
        environment::reveal_environment,
        forward::forward_connections,
        process_tree::{find_descendants, read_processes, read_user},
    },
    options::Options,
};

/// The exit code of what goes wrong before the agent runs.
pub(super) const FAILURE: i32 = 125;
/// How long the processes of an agent may take to end.
const KILL_TIME: Duration = Duration::from_secs(5);
const CHECK_PAUSE: Duration = Duration::from_millis(5);

/// Forwards the ports and runs the program. Returns its exit code.
pub(super) async fn serve_and_run(options: Options) -> Result<i32, String> {
    let is_own_user = options.has_own_user();
    let mut forwarders = JoinSet::new();
    for (port, socket) in options.forwards {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.map_err(|error| format!("port {port} cannot be opened: {error}"))?;
        forwarders.spawn(forward_connections(listener, socket, None));
    }
    let program = options.program.ok_or("no program is named after --")?;
    if let Some(runner) = options.supervise {
        follow_runner(Pid::from_raw(runner)).map_err(|error| format!("the agent cannot be supervised: {error}"))?;
    }
    set_no_new_privs().map_err(|error| format!("programs that change their user cannot be refused: {error}"))?;
    let child = start_program(&program, &options.arguments, options.directory)?;
    if options.supervise.is_none() {
        return wait_for_program(child).await;
    }
    let code = supervise_program(child).await;
    end_own_processes(is_own_user);
    code
}

fn start_program(program: &OsStr, arguments: &[OsString], directory: Option<PathBuf>) -> Result<Child, String> {
    let directory = directory.unwrap_or_else(|| "/".into());
    let entered = std::env::set_current_dir(&directory);
    entered.map_err(|error| format!("the agent's user cannot enter {}: {error}", directory.display()))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(reveal_environment());
    command.spawn().map_err(|error| format!("{} cannot be started: {error}", program.to_string_lossy()))
}

async fn wait_for_program(mut child: Child) -> Result<i32, String> {
    child.wait().await.map(exit_code).map_err(|error| error.to_string())
}

/// As a shell reports it: 128 and the signal's number for a program that a signal ended.
fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(FAILURE)
}

/// Leaves the runner's terminal and its groups, is notified of its end, and becomes the parent of all that the agent
/// starts, also of what its own parent has left.
fn follow_runner(runner: Pid) -> Result<(), String> {
    setsid().map_err(|error| error.to_string())?;
    set_child_subreaper(true).map_err(|error| error.to_string())?;
    set_pdeathsig(Signal::SIGTERM).map_err(|error| error.to_string())?;
    if getppid() == runner { Ok(()) } else { Err("the runner has ended".to_owned()) }
}

/// Waits for the end of the program or of the runner.
async fn supervise_program(mut child: Child) -> Result<i32, String> {
    let to_message = |error: std::io::Error| error.to_string();
    let mut terminate = signal(SignalKind::terminate()).map_err(to_message)?;
    let mut child_ended = signal(SignalKind::child()).map_err(to_message)?;
    let agent = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
    loop {
        tokio::select! {
            status = child.wait() => return status.map(exit_code).map_err(to_message),
            _ = terminate.recv() => return Ok(128 + Signal::SIGTERM as i32),
            _ = child_ended.recv() => reap_orphans(agent),
        }
    }
}

/// Takes note of the end of processes that the agent has left. Its own is waited for elsewhere.
fn reap_orphans(agent: i32) {
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    while let Ok(status) = waitid(Id::All, ended | WaitPidFlag::WNOWAIT) {
        match status.pid() {
            Some(pid) if pid.as_raw() != agent => drop(waitid(Id::Pid(pid), ended)),
            _ => break,
        }
    }
}

/// Ends everything that the agent has left. With a user of its own, that is every process of the user.
pub(super) fn end_own_processes(is_own_user: bool) {
    let started = Instant::now();
    while started.elapsed() < KILL_TIME {
        let all = read_processes();
        let (own, user) = (getpid().as_raw(), geteuid().as_raw());
        let is_ours = |pid: i32| pid != own && read_user(pid) == Some(user);
        let ours = if is_own_user {
            all.iter().copied().filter(|process| is_ours(process.pid)).collect()
        } else {
            find_descendants(&all, own)
        };
        let alive: Vec<_> = ours.into_iter().filter(|process| !process.is_zombie).collect();
        if alive.is_empty() {
            return;
        }
        if is_own_user {
            // All at once, so that none can make another meanwhile.
            let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        } else {
            for process in alive {
                let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
            }
        }
        reap_orphans(0);
        thread::sleep(CHECK_PAUSE);
    }
}
