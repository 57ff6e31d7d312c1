//! A running sandbox: its pipes, what it uses, and its end.

use std::time::Duration;

use tokio::{
    process::{Child, ChildStdin, ChildStdout},
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    command::sandboxed_command,
    ending::{ProcessEnding, end_sandbox},
    error::SandboxError,
    launcher::spawn_from_lasting_thread,
    measurement::{ExceededLimit, INTERVAL, ResourceUsage, Sampler, find_exceeded},
    method::IsolationMethod,
    output::{ErrorOutput, OutputTail},
    process_command::make_process_command,
    process_tree::find_first_process,
    spec::{AgentProgram, SandboxLimits, SandboxSpec},
};

/// How often it is checked whether the first process of a sandbox has started.
const CHECK_PAUSE: Duration = Duration::from_millis(10);

/// Why a sandbox has ended. In every case none of its processes is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxEnd {
    /// The agent ended by itself: its exit code, or 128 and the number of the signal that ended it.
    Exited {
        /// The code.
        code: i32,
    },
    /// [`RunningSandbox::stop`] was called.
    Stopped,
    /// The processes used more than they may.
    LimitExceeded(ExceededLimit),
}

/// A sandbox, or a process without one, with all its processes, which end when this is dropped.
#[derive(Debug)]
pub struct RunningSandbox {
    /// The standard input of the agent; take it.
    pub stdin: Option<ChildStdin>,
    /// The standard output of the agent; take it, and read it to the end.
    pub stdout: Option<ChildStdout>,
    usage: watch::Receiver<ResourceUsage>,
    errors: OutputTail,
    stop: CancellationToken,
    end: Option<SandboxEnd>,
    supervision: JoinSet<SandboxEnd>,
    _reading: JoinSet<()>,
}

impl RunningSandbox {
    /// Starts a program in a sandbox. The folders must have been granted to the agent's user
    /// ([`grant_session_folders`](super::grant_session_folders)).
    pub async fn start(
        method: &IsolationMethod,
        spec: &SandboxSpec,
        program: &AgentProgram,
    ) -> Result<Self, SandboxError> {
        let command = match method {
            IsolationMethod::Sandbox(bubblewrap) => sandboxed_command(bubblewrap, spec, program)?,
            IsolationMethod::Process(process) => make_process_command(process, spec, program),
        };
        let action = format!("running {}", command.as_std().get_program().display());
        let mut child = spawn_from_lasting_thread(command).await.map_err(SandboxError::of_start(action))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (errors, stop, (sender, usage)) =
            (OutputTail::default(), CancellationToken::new(), watch::channel(ResourceUsage::default()));
        let mut reading = JoinSet::new();
        if let Some(stderr) = stderr {
            reading.spawn(errors.clone().read_from(stderr));
        }
        let mut supervision = JoinSet::new();
        supervision.spawn(supervise(child, (method.clone(), spec.clone()), stop.clone(), sender));
        Ok(Self { stdin, stdout, usage, errors, stop, end: None, supervision, _reading: reading })
    }

    /// What the sandbox uses, as of the latest measurement.
    pub fn usage(&self) -> ResourceUsage {
        *self.usage.borrow()
    }

    /// The measurements, two a second. Copy what `borrow` returns at once: it keeps the next one from being written.
    pub fn usage_updates(&self) -> watch::Receiver<ResourceUsage> {
        self.usage.clone()
    }

    /// What the agent wrote to its standard error so far.
    pub fn error_output(&self) -> ErrorOutput {
        self.errors.read()
    }

    /// Ends all processes of the sandbox at once; [`wait`](Self::wait) returns when they are gone.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// A handle that stops this sandbox when it is cancelled.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Waits until no process of the sandbox is left. May be dropped and called again.
    pub async fn wait(&mut self) -> SandboxEnd {
        if self.end.is_none() {
            self.end = self.supervision.join_next().await.and_then(Result::ok);
        }
        self.end.unwrap_or(SandboxEnd::Stopped)
    }
}

async fn supervise(
    mut child: Child,
    (method, spec): (IsolationMethod, SandboxSpec),
    stop: CancellationToken,
    usage: watch::Sender<ResourceUsage>,
) -> SandboxEnd {
    let Some(outer) = child.id().and_then(|id| i32::try_from(id).ok()) else { return SandboxEnd::Stopped };
    let mut measuring = JoinSet::new();
    measuring.spawn(measure_repeatedly(Sampler::new(outer, &spec), usage.clone()));
    let mut measured = usage.subscribe();
    match method {
        IsolationMethod::Sandbox(_) => {
            let mut first = None;
            let end = loop {
                tokio::select! {
                    end = wait_for_end(&mut child, &stop, &mut measured, &spec.limits) => break end,
                    found = wait_for_first_process(outer), if first.is_none() => first = found,
                }
            };
            end_sandbox(&mut child, outer, first).await;
            end
        }
        IsolationMethod::Process(process) => {
            let mut ending = ProcessEnding::new(process, outer);
            let mut seen = usage.subscribe();
            let end = loop {
                tokio::select! {
                    end = wait_for_end(&mut child, &stop, &mut measured, &spec.limits) => break end,
                    Ok(()) = seen.changed() => ending.observe(),
                }
            };
            ending.run(&mut child).await;
            end
        }
    }
}

/// May be dropped and called again.
async fn wait_for_end(
    child: &mut Child,
    stop: &CancellationToken,
    measured: &mut watch::Receiver<ResourceUsage>,
    limits: &SandboxLimits,
) -> SandboxEnd {
    loop {
        tokio::select! {
            status = child.wait() => return SandboxEnd::Exited { code: status.map_or(-1, exit_code) },
            () = stop.cancelled() => return SandboxEnd::Stopped,
            Ok(()) = measured.changed() => {
                let exceeded = find_exceeded(&measured.borrow_and_update(), limits);
                if let Some(exceeded) = exceeded {
                    return SandboxEnd::LimitExceeded(exceeded);
                }
            }
        }
    }
}

fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

async fn measure_repeatedly(mut sampler: Sampler, usage: watch::Sender<ResourceUsage>) {
    loop {
        let measured = spawn_blocking(move || {
            let measured = sampler.measure();
            (sampler, measured)
        });
        let Ok((same, measured)) = measured.await else { return };
        sampler = same;
        let _ = usage.send(measured);
        sleep(INTERVAL).await;
    }
}

async fn wait_for_first_process(outer: i32) -> Option<i32> {
    loop {
        if let Some(first) = find_first_process(outer) {
            return Some(first);
        }
        sleep(CHECK_PAUSE).await;
    }
}
