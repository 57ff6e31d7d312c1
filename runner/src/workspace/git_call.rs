//! One call of git: its input and output, how long it may take, and what becomes of its children.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};

use super::{
    error::WorkspaceError,
    git_stderr::{classify_local_failure, classify_remote_failure},
};

/// The most that one call may write to its standard output, in bytes: above any patch and any list of paths.
const MOST_OUTPUT: u64 = 512 << 20;
/// How much of the standard error is kept, in bytes; the end, because git states the cause there.
const KEPT_STDERR: usize = 16 << 10;
/// How long the output is read after the end of a call, if something keeps it open.
const OPEN_OUTPUT: Duration = Duration::from_secs(2);

/// What a call reads from its standard input.
enum Input {
    Nothing,
    Bytes(Vec<u8>),
    File(File),
}

/// One call that is not yet started.
pub(super) struct GitCall {
    pub(super) command: Command,
    input: Input,
    into: Option<File>,
    limit: Duration,
    is_remote: bool,
    name: String,
}

/// The result of a call that ended by itself.
#[derive(Debug)]
pub(super) struct GitOutput {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl GitCall {
    pub(super) const fn new(command: Command, limit: Duration) -> Self {
        Self { command, input: Input::Nothing, into: None, limit, is_remote: false, name: String::new() }
    }

    /// A call whose failure is explained by what servers say.
    pub(super) const fn to_remote(command: Command, limit: Duration) -> Self {
        let mut call = Self::new(command, limit);
        call.is_remote = true;
        call
    }

    pub(super) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        if self.name.is_empty() {
            self.name = argument.as_ref().to_string_lossy().into_owned();
        }
        self.command.arg(argument);
        self
    }

    pub(super) fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(super) fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = Input::Bytes(bytes);
        self
    }

    /// Leaves a lock to the call and to its children: while one of them lives, also after the runner was killed, nobody
    /// else gets it.
    pub(super) fn with_lock(mut self, lock: File) -> Self {
        self.input = Input::File(lock);
        self
    }

    /// Writes the standard output into a file instead of keeping it.
    pub(super) fn output_into(mut self, file: File) -> Self {
        self.into = Some(file);
        self
    }

    /// Runs to success and returns the standard output.
    pub(super) async fn run(self) -> Result<Vec<u8>, WorkspaceError> {
        let (is_remote, name) = (self.is_remote, self.name.clone());
        let output = self.output().await?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let signal = output.status.signal().map(|signal| format!("ended by signal {signal}"));
        let stderr = signal.map_or(output.stderr, String::into_bytes);
        Err(if is_remote { classify_remote_failure(&stderr) } else { classify_local_failure(&name, &stderr) })
    }

    /// Runs to success and returns the standard output as one line.
    pub(super) async fn line(self) -> Result<String, WorkspaceError> {
        let output = self.run().await?;
        Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
    }

    /// Runs to an end, whichever. A call beyond its time is killed with all its children.
    pub(super) async fn output(mut self) -> Result<GitOutput, WorkspaceError> {
        let (input, limit) = (std::mem::replace(&mut self.input, Input::Nothing), self.limit);
        let bytes = match input {
            Input::Nothing => None,
            Input::Bytes(bytes) => {
                self.command.stdin(Stdio::piped());
                Some(bytes)
            }
            Input::File(file) => {
                self.command.stdin(Stdio::from(file));
                None
            }
        };
        if let Some(file) = self.into.take() {
            self.command.stdout(Stdio::from(file));
        }
        let failed = |error: io::Error| {
            WorkspaceError::new(WorkspaceError::GIT_FAILED, format!("git {} cannot run: {error}", self.name))
        };
        let child = self.command.spawn().map_err(failed)?;
        drop(self.command); // it holds copies of the lock and of the output file
        let group = ProcessGroup(child.id());
        let ended = timeout(limit, exchange(child, bytes)).await;
        let Ok(result) = ended else {
            let message = format!("git {} took longer than {} s", self.name, limit.as_secs());
            return Err(WorkspaceError::new(WorkspaceError::TIMEOUT, message));
        };
        // A call that was killed may have left helpers, which would go on writing.
        if result.as_ref().is_ok_and(|output| output.status.code().is_some()) {
            group.release();
        }
        result.map_err(failed)
    }
}

/// Passes the input, and reads until the call has ended and its output as well. Something that the call left behind may
/// keep the output open; it is not waited for.
async fn exchange(mut child: Child, input: Option<Vec<u8>>) -> io::Result<GitOutput> {
    let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let write = async {
        if let (Some(mut stdin), Some(bytes)) = (stdin, input) {
            // A call that ends without reading everything states its reason on the standard error.
            let _ = stdin.write_all(&bytes).await;
        }
        Ok(())
    };
    let mut pipes =
        Box::pin(async { tokio::try_join!(write, read_bounded(out, &mut stdout), read_end(err, &mut stderr)) });
    let status = tokio::select! {
        done = &mut pipes => {
            done?;
            child.wait().await?
        }
        status = child.wait() => {
            if let Ok(done) = timeout(OPEN_OUTPUT, &mut pipes).await {
                done?;
            }
            status?
        }
    };
    drop(pipes);
    Ok(GitOutput { status, stdout, stderr })
}

async fn read_bounded(pipe: Option<impl AsyncRead + Unpin>, bytes: &mut Vec<u8>) -> io::Result<()> {
    if let Some(pipe) = pipe {
        pipe.take(MOST_OUTPUT + 1).read_to_end(bytes).await?;
    }
    if bytes.len() as u64 > MOST_OUTPUT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the output is too long"));
    }
    Ok(())
}

async fn read_end(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) -> io::Result<()> {
    let mut piece = vec![0; 8 << 10];
    if let Some(mut pipe) = pipe {
        loop {
            let count = pipe.read(&mut piece).await?;
            if count == 0 {
                break;
            }
            kept.extend_from_slice(&piece[..count]);
            kept.drain(..kept.len().saturating_sub(KEPT_STDERR));
        }
    }
    Ok(())
}

/// Kills a call with its children (helpers of transports, index-pack) unless it ended by itself.
struct ProcessGroup(Option<u32>);

impl ProcessGroup {
    /// A helper such as the credential cache may go on.
    fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let group = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}
