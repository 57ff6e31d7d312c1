//! How the processes of an agent end: all of them, whatever they do against it.

use std::{
    collections::BTreeSet,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::Child,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::{
    method::PlainProcess,
    process_tree::{ProcessStat, find_descendants, find_first_process, read_process, read_processes},
    user::AgentUser,
};

/// How long the kernel may take to end the processes of a sandbox.
const KILL_TIME: Duration = Duration::from_secs(5);
/// How often it is checked whether they have ended.
const CHECK_PAUSE: Duration = Duration::from_millis(10);

/// Ends a sandbox by its first process: the kernel ends all others of the PID namespace before that one is gone, and
/// the outer bubblewrap follows.
pub(super) async fn end_sandbox(child: &mut Child, outer: i32, first: Option<i32>) {
    let is_ours = |pid: i32| read_process(pid).is_some_and(|process| process.parent == outer);
    let first = first.or_else(|| find_first_process(outer));
    if let Some(first) = first.filter(|first| is_ours(*first)) {
        let _ = kill(Pid::from_raw(first), Signal::SIGKILL);
        let _ = timeout(KILL_TIME, child.wait()).await;
    }
    // Without a first process there is nothing but the outer bubblewrap. If it has ended, this does nothing.
    let _ = child.start_kill();
    let _ = child.wait().await;
    if let Some(first) = first {
        wait_until_gone(first).await;
    }
}

/// After the outer bubblewrap has ended by itself, the kernel still ends the others.
async fn wait_until_gone(first: i32) {
    let started = Instant::now();
    let process = format!("/proc/{first}");
    while Path::new(&process).exists() && started.elapsed() < KILL_TIME {
        sleep(CHECK_PAUSE).await;
    }
}

/// Ends the processes of an agent without a sandbox when it is dropped.
#[derive(Debug)]
pub(super) struct ProcessEnding {
    process: PlainProcess,
    /// Our own program, which started the agent.
    outer: i32,
    /// The agent's processes as last seen: if the agent ends our own program, they are its children no longer.
    known: Vec<ProcessStat>,
    is_done: bool,
}

impl ProcessEnding {
    pub(super) fn new(process: PlainProcess, outer: i32) -> Self {
        Self { process, outer, known: Vec::new(), is_done: false }
    }

    /// Remembers the processes that exist now.
    pub(super) fn observe(&mut self) {
        if self.process.user.is_none() {
            self.known = find_descendants(&read_processes(), self.outer);
        }
    }

    /// Ends all of them, and our own program.
    pub(super) async fn run(mut self, child: &mut Child) {
        let ended = spawn_blocking(move || {
            self.end_all();
            drop(self);
        });
        let _ = ended.await;
        let _ = child.start_kill();
        let _ = child.wait().await;
    }

    fn end_all(&mut self) {
        match self.process.user {
            Some(user) => end_processes_as(&self.process, user),
            None => end_tree(self.outer, &self.known),
        }
        self.is_done = true;
    }
}

impl Drop for ProcessEnding {
    fn drop(&mut self) {
        if !self.is_done {
            self.end_all();
        }
    }
}

/// A process of that user ends them: the kernel signals all at once, so that none can make another meanwhile.
fn end_processes_as(process: &PlainProcess, user: AgentUser) {
    let mut command = std::process::Command::new(&process.runner_program);
    command.args(["inside", "--user", &format!("{}:{}", user.uid, user.gid), "--end-processes"]);
    command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::error!(%status, user.uid, "processes of an agent may be left"),
        Err(error) => tracing::error!(%error, user.uid, "processes of an agent may be left"),
    }
}

/// Ends a process, everything below it, and what was below it before.
fn end_tree(outer: i32, known: &[ProcessStat]) {
    let started = Instant::now();
    let mut ours: BTreeSet<(i32, u64)> = known.iter().map(|one| (one.pid, one.started)).collect();
    while started.elapsed() < KILL_TIME {
        let all = read_processes();
        let of_before = all.iter().filter(|one| ours.contains(&(one.pid, one.started)));
        let roots: Vec<i32> = of_before.map(|one| one.pid).chain([outer]).collect();
        let below = roots.iter().flat_map(|root| find_descendants(&all, *root));
        ours.extend(below.map(|one| (one.pid, one.started)).collect::<Vec<_>>());
        let alive: Vec<_> = all.iter().filter(|one| !one.is_zombie && ours.contains(&(one.pid, one.started))).collect();
        if alive.is_empty() {
            return;
        }
        for process in alive {
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
        thread::sleep(CHECK_PAUSE);
    }
    tracing::error!(process.id = outer, "processes of an agent are left");
}
