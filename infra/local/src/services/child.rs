//! A server under its supervisor, as the process that started it sees it.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// The program to run, and how.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) command: Vec<OsString>,
    /// The whole environment of the server; that of this process is not passed on.
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) folder: PathBuf,
    pub(super) log: PathBuf,
    pub(super) stop: Signal,
    pub(super) grace: Duration,
    /// The user and group to run as, if not those of this process.
    pub(super) account: Option<(u32, u32)>,
    /// A folder to remove when the server can no longer be restarted.
    pub(super) remove: Option<PathBuf>,
}

/// A running server. It is stopped when this value is dropped, or when this process ends for any reason.
#[derive(Debug)]
pub(super) struct Supervised {
    name: &'static str,
    supervisor: Child,
    /// The write end of the pipe that the supervisor listens on; closing it asks for the end.
    control: Option<File>,
    stop: Signal,
    grace: Duration,
    log: PathBuf,
    /// The length of the log before this run, so that only lines of this run are shown.
    log_start: u64,
}

impl Program {
    /// Starts the server. The caller waits until it is ready.
    pub(super) fn start(&self) -> Result<Supervised> {
        let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.log);
        let log = log.with_context(|| format!("{} cannot be written", self.log.display()))?;
        let log_start = log.metadata()?.len();
        let mut command = Command::new(supervisor()?);
        command.args(self.supervision()).arg("--").args(&self.command);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value))).current_dir(&self.folder);
        // A process group of its own: Ctrl-C reaches only this process, which then stops the servers in order.
        command.process_group(0).stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let mut supervisor = command.spawn().with_context(|| format!("{} cannot be started", self.name))?;
        let control = supervisor.stdin.take().context("the supervisor has no pipe")?.into_owned_fd()?;
        let control = Some(File::from(control));
        let log = self.log.clone();
        Ok(Supervised { name: self.name, supervisor, control, stop: self.stop, grace: self.grace, log, log_start })
    }

    fn supervision(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["supervise".into(), "--stop".into(), self.stop.as_str().into()];
        words.extend(["--grace".into(), self.grace.as_millis().to_string().into()]);
        if let Some((uid, gid)) = self.account {
            words.extend(["--uid".into(), uid.to_string().into(), "--gid".into(), gid.to_string().into()]);
        }
        if let Some(folder) = &self.remove {
            words.extend(["--remove".into(), folder.into()]);
        }
        words
    }
}

impl Supervised {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Sends the server a signal.
    pub(super) fn signal(&mut self, signal: Signal) -> Result<()> {
        let control = self.control.as_mut().with_context(|| format!("{} is being stopped", self.name))?;
        writeln!(control, "{signal}").with_context(|| format!("{} has ended", self.name))
    }

    /// Kills the server and every process that it started, and waits until all have ended.
    pub(super) async fn kill(mut self) {
        // An error means that it has ended already.
        _ = self.signal(Signal::SIGKILL);
        _ = self.supervisor.wait().await;
    }

    /// Stops the server, kills it if that takes too long, and waits until it has ended.
    pub(super) async fn stop(mut self) {
        _ = self.signal(self.stop);
        _ = self.signal(Signal::SIGCONT);
        if timeout(self.grace, self.supervisor.wait()).await.is_err() {
            self.kill().await;
        }
    }

    pub(super) fn has_exited(&mut self) -> bool {
        !matches!(self.supervisor.try_wait(), Ok(None))
    }

    /// The log of this run.
    pub(super) fn log(&self) -> String {
        let content = fs::read(&self.log).unwrap_or_default();
        let start = usize::try_from(self.log_start).unwrap_or_default().min(content.len());
        String::from_utf8_lossy(&content[start..]).into_owned()
    }

    /// The last lines of its log, as the reason of a failure.
    pub(super) fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        let tail = &lines[lines.len().saturating_sub(8)..];
        format!("  {}\n  (all of it: {})", tail.join("\n  "), self.log.display())
    }
}

/// The program `ioc-server`: this process, or the program built beside it.
fn supervisor() -> Result<PathBuf> {
    let this = std::env::current_exe().context("the path of this program is unknown")?;
    let name = |file: &Path| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ioc-server"));
    if name(&this) && !this.parent().is_some_and(|folder| folder.ends_with("deps")) {
        // The link stays valid if a new build replaces the file while this process runs.
        let link = PathBuf::from("/proc/self/exe");
        return Ok(if link.exists() { link } else { this });
    }
    let beside = this.ancestors().skip(1).map(|folder| folder.join("ioc-server")).find(|file| file.is_file());
    beside.context("the program ioc-server, which supervises servers, is not built: run `cargo build -p local`")
}
