//! A trainer as a process that outlives us: started once, found again after a restart, and ended with all that it started.
//!
//! It holds a lock on a file of its run, as its standard input, for as long as it lives. Whoever gets the lock knows that
//! it does not run; an id of a process alone could by then be anybody's.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::Settings;

/// What runs the program and notes what became of it.
const SCRIPT: &str = include_str!("run.sh");

/// How long the shell may take to say its number.
const STARTING: Duration = Duration::from_secs(2);

/// How much of what a program printed is told when it died.
const LOG_TAIL: u64 = 600;

/// What is asked of the program.
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
    pub(super) fn report(&self) -> PathBuf {
        self.file("report.jsonl")
    }

    fn file(&self, end: &str) -> PathBuf {
        self.folder.join(format!("{}.{end}", self.verb.name()))
    }

    /// Whether it was ever started.
    pub(super) fn was_started(&self) -> bool {
        self.file("pid").exists() || self.runs().unwrap_or(false)
    }

    /// Whether it runs, it or what it started.
    pub(super) fn runs(&self) -> io::Result<bool> {
        match File::open(self.file("lock")) {
            Ok(lock) => Ok(matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Starts it, unless it runs or did before.
    pub(super) fn start(&self, settings: &Settings) -> io::Result<()> {
        let lock = File::options().create(true).append(true).read(true).open(self.file("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if self.file("pid").exists() {
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
        command.arg("--output").arg(within("output")).arg("--report").arg(self.report());
        command.env_clear().envs(settings.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(lock).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: no signal for us reaches it, and all of it can be ended at once.
        let mut child = command.process_group(0).spawn()?;
        // Somebody must take its end in, or it stays in the system's table; it may end long after we did.
        std::thread::spawn(move || child.wait());
        Ok(())
    }

    /// Ends it and all that it started, if it runs. One that was started this moment has not said its number yet.
    pub(super) async fn kill(&self) -> io::Result<()> {
        let begun = Instant::now();
        while self.runs()? && !self.file("pid").exists() && begun.elapsed() < STARTING {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if !self.runs()? {
            return Ok(());
        }
        let pid = fs::read_to_string(self.file("pid"))?;
        // The shell's own kill, because a small system has no other.
        let kill = ["-c", r#"kill -s KILL -- "-$0""#, pid.trim()];
        let killed = Command::new("sh").args(kill).stderr(Stdio::null()).status()?;
        // It may have ended by itself meanwhile.
        if killed.success() || !self.runs()? { Ok(()) } else { Err(io::Error::other("it cannot be killed")) }
    }

    /// With what code the program ended, if it came to that.
    pub(super) fn exit_code(&self) -> Option<i32> {
        fs::read_to_string(self.file("exit")).ok()?.trim().parse().ok()
    }

    /// The end of what it printed.
    pub(super) fn log_tail(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(self.file("log"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail)?;
            Ok(String::from_utf8_lossy(&tail).trim().to_owned())
        };
        read().unwrap_or_default()
    }
}
