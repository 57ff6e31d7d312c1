//! A trainer process that survives our restarts: started once, found again, and stopped with all its children.
//!
//! It holds a lock on a file of its run, as its standard input, for as long as it lives. Whoever gets the lock knows
//! that it ended; a process id alone may have been reused.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::settings::CommandSettings;

/// The shell script that runs the program and records its exit code.
const SCRIPT: &str = include_str!("run.sh");

/// How long the shell may take to write its process id.
const STARTING: Duration = Duration::from_secs(2);

/// How much of its output is reported when it died.
const LOG_TAIL: u64 = 600;

/// The command for the program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    Train,
    Evaluate,
}

impl Verb {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Evaluate => "evaluate",
        }
    }
}

/// One run of the program, in the folder of its order.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) folder: PathBuf,
    pub(super) verb: Verb,
}

impl Process {
    pub(super) fn report_file(&self) -> PathBuf {
        self.named_file("report.jsonl")
    }

    fn named_file(&self, end: &str) -> PathBuf {
        self.folder.join(format!("{}.{end}", self.verb.name()))
    }

    /// Whether it was started before.
    pub(super) fn was_started(&self) -> bool {
        self.named_file("pid").exists() || self.is_running().unwrap_or(false)
    }

    /// Whether it or one of its children runs.
    pub(super) fn is_running(&self) -> io::Result<bool> {
        match File::open(self.named_file("lock")) {
            Ok(lock) => Ok(matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Starts it, unless it runs or ran before.
    pub(super) fn start(&self, settings: &CommandSettings) -> io::Result<()> {
        let lock = File::options().create(true).append(true).read(true).open(self.named_file("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if self.named_file("pid").exists() {
            return Ok(());
        }
        let within = |name: &str| self.folder.join(name);
        let data = if self.verb == Verb::Train { "training.jsonl" } else { "held-out.jsonl" };
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "ioc-trainer"]).arg(&self.folder).arg(self.verb.name());
        command.arg(&settings.program).args(&settings.arguments).arg(self.verb.name());
        command.arg("--dataset").arg(within(data));
        if self.verb == Verb::Train && within("held-out.jsonl").exists() {
            command.arg("--held-out").arg(within("held-out.jsonl"));
        }
        command.arg("--parameters").arg(within("parameters.json"));
        command.arg("--output").arg(within("output")).arg("--report").arg(self.report_file());
        command.env_clear().envs(settings.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(lock).stdout(Stdio::null()).stderr(Stdio::null());
        // A process group of its own: our signals do not reach it, and it can be stopped as a whole.
        let mut child = command.process_group(0).spawn()?;
        // A task must wait for it, or it remains as a zombie; it may end long after us.
        std::thread::spawn(move || child.wait());
        Ok(())
    }

    /// Stops it with all its children. A process that just started may not have written its id yet.
    pub(super) async fn kill(&self) -> io::Result<()> {
        let begun = Instant::now();
        while self.is_running()? && !self.named_file("pid").exists() && begun.elapsed() < STARTING {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if !self.is_running()? {
            return Ok(());
        }
        let pid = fs::read_to_string(self.named_file("pid"))?;
        // Uses the kill of the shell, because small systems have no other.
        let kill = ["-c", r#"kill -s KILL -- "-$0""#, pid.trim()];
        let killed = Command::new("sh").args(kill).stderr(Stdio::null()).status()?;
        // It may have ended meanwhile.
        if killed.success() || !self.is_running()? { Ok(()) } else { Err(io::Error::other("it cannot be killed")) }
    }

    /// The exit code of the program, if it ended.
    pub(super) fn exit_code(&self) -> Option<i32> {
        fs::read_to_string(self.named_file("exit")).ok()?.trim().parse().ok()
    }

    /// The end of its output.
    pub(super) fn log_tail(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(self.named_file("log"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail)?;
            Ok(String::from_utf8_lossy(&tail).trim().to_owned())
        };
        read().unwrap_or_default()
    }
}
