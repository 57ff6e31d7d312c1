//! The servers that run as child processes: each starts on a port of its own and ends with this process.
//!
//! Each offers `url`, `kill` (SIGKILL, for fault tests), `restart` on the same port and data, and `stop`.
//! Dropping one also stops it, without waiting.

mod child;
mod postgres;
mod runner;
mod valkey;

use std::{fs, future::Future, net::TcpListener, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use child::{Program, Supervised};
use nix::sys::signal::Signal;
pub use postgres::{Postgres, PostgresOptions};
use rand::RngExt;
pub use runner::{RUNNER_NAME, Runner, RunnerOptions};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
pub use valkey::{Valkey, ValkeyOptions};

/// How often a starting server is polled.
const LOOK: Duration = Duration::from_millis(10);

/// A random password.
pub fn secret() -> String {
    hex::encode(rand::rng().random::<[u8; 24]>())
}

/// A password that is generated once and stored in a file that only its owner can read.
pub fn kept_secret(file: &Path) -> Result<String> {
    if let Ok(text) = fs::read_to_string(file) {
        return Ok(text.trim().to_owned());
    }
    let secret = secret();
    write_private(file, &secret)?;
    Ok(secret)
}

/// Writes, atomically, a file that only its owner can read.
pub fn write_private(file: &Path, text: &str) -> Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let half = file.with_added_extension("new");
    let write = || {
        _ = fs::remove_file(&half);
        let mut opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half)?;
        opened.write_all(text.as_bytes())?;
        fs::rename(&half, file)
    };
    write().with_context(|| format!("{} cannot be written", file.display()))
}

/// A port that is free now. Another server may bind it first; the caller then tries again.
///
/// It lies below the ephemeral ports of the system, so that no client is given it while the server restarts.
pub fn free_port() -> Result<u16> {
    let mut random = rand::rng();
    let ports = std::iter::repeat_with(|| random.random_range(20_000..32_000)).take(100);
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().context("no port is free on 127.0.0.1")
}

/// A server that can be restarted: the common part of all servers.
#[derive(Debug)]
struct Service {
    program: Program,
    running: Mutex<Option<Supervised>>,
}

impl Service {
    fn new(program: Program) -> Self {
        Self { program, running: Mutex::default() }
    }

    /// Starts the server, after stopping a running one, and waits until it answers.
    async fn start<F>(&self, within: Duration, answers: impl FnMut(&Supervised) -> F) -> Result<()>
    where
        F: Future<Output = bool>,
    {
        let mut running = self.running.lock().await;
        if let Some(child) = running.take() {
            child.stop().await;
        }
        let ready = until_ready(running.insert(self.program.start()?), within, answers).await;
        if ready.is_err()
            && let Some(child) = running.take()
        {
            child.kill().await;
        }
        ready
    }

    async fn kill(&self) {
        if let Some(child) = self.running.lock().await.take() {
            child.kill().await;
        }
    }

    async fn stop(&self) {
        if let Some(child) = self.running.lock().await.take() {
            child.stop().await;
        }
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        let mut running = self.running.lock().await;
        running.as_mut().with_context(|| format!("{} does not run", self.program.name))?.signal(signal)
    }

    async fn runs(&self) -> bool {
        self.running.lock().await.as_mut().is_some_and(|child| !child.has_exited())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // If it still runs, its supervisor removes the folder afterwards.
        if self.running.get_mut().is_none()
            && let Some(folder) = &self.program.remove
        {
            _ = fs::remove_dir_all(folder);
        }
    }
}

/// Starts a server on a free port, and retries with another if a different process bound it first.
async fn on_free_port<S, F>(given: Option<u16>, mut start: impl FnMut(u16) -> F) -> Result<S>
where
    F: Future<Output = Result<S>>,
{
    let mut tries = 3;
    loop {
        tries -= 1;
        match start(given.map_or_else(free_port, Ok)?).await {
            Err(error) if given.is_none() && tries > 0 && format!("{error:#}").contains("in use") => {}
            started => return started,
        }
    }
}

/// Polls until the server is ready, has ended, or exceeds its time.
async fn until_ready<F>(
    child: &mut Supervised,
    within: Duration,
    mut answers: impl FnMut(&Supervised) -> F,
) -> Result<()>
where
    F: Future<Output = bool>,
{
    let late = Instant::now() + within;
    while !answers(child).await {
        if child.has_exited() {
            bail!("{} has ended while starting:\n{}", child.name(), child.last_words());
        }
        if Instant::now() > late {
            bail!("{} does not answer after {} s:\n{}", child.name(), within.as_secs(), child.last_words());
        }
        sleep(LOOK).await;
    }
    Ok(())
}
