//! What the runner does at this moment: its slots and tasks, whether it drains, and what it has counted.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{
    control_plane::wire::{RunnerCommand, RunnerHeartbeat},
    job_gauge::JobGauge,
};

/// The status of a runner.
#[derive(Debug)]
pub struct RunnerStatus {
    slots: usize,
    started: Instant,
    /// The tasks at work.
    tasks: Mutex<BTreeMap<String, Arc<JobGauge>>>,
    /// Whether the control plane asks to drain.
    drained: watch::Sender<bool>,
    /// Whether the runner is being stopped, which no command undoes.
    is_stopping: AtomicBool,
    claims: AtomicU64,
    failures: AtomicU64,
    last_contact: Mutex<Instant>,
}

/// The figures of a runner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RunnerFigures {
    pub slots: usize,
    pub busy: usize,
    pub is_draining: bool,
    /// Tasks that were claimed since the start.
    pub claims: u64,
    /// Calls to the control plane that failed since the start.
    pub failures: u64,
    pub uptime: Duration,
    /// Since the last call that was answered.
    pub silence: Duration,
}

impl RunnerStatus {
    pub fn new(slots: usize) -> Self {
        let now = Instant::now();
        Self {
            slots,
            started: now,
            tasks: Mutex::default(),
            drained: watch::Sender::new(false),
            is_stopping: AtomicBool::new(false),
            claims: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            last_contact: Mutex::new(now),
        }
    }

    /// A task was claimed. It is at work until the guard is dropped.
    pub fn begin_task(&self, task: &str) -> TaskGuard<'_> {
        self.claims.fetch_add(1, Ordering::Relaxed);
        let gauge = Arc::<JobGauge>::default();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(task.to_owned(), gauge.clone());
        TaskGuard { status: self, task: task.to_owned(), gauge }
    }

    pub fn record_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The control plane has answered.
    pub fn record_contact(&self) {
        *self.last_contact.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The runner takes no more work, whatever the control plane asks.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Does what the control plane asks. Returns whether anything has changed.
    pub fn obey(&self, commands: &[RunnerCommand]) -> bool {
        commands.iter().fold(false, |changed, command| {
            let drained = match command {
                RunnerCommand::Drain => true,
                RunnerCommand::Resume => false,
                RunnerCommand::Unknown => return changed,
            };
            self.drained.send_if_modified(|current| std::mem::replace(current, drained) != drained) || changed
        })
    }

    /// Waits until the control plane does not ask to drain.
    pub async fn wait_until_active(&self) {
        let mut drained = self.drained.subscribe();
        // The sender lives as long as this borrow.
        let _ = drained.wait_for(|drained| !drained).await;
    }

    /// What the next heartbeat says.
    pub fn heartbeat(&self) -> RunnerHeartbeat {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = tasks.iter().map(|(task, gauge)| gauge.read(task)).collect();
        RunnerHeartbeat { state: if self.is_draining() { "draining" } else { "active" }, jobs }
    }

    fn is_draining(&self) -> bool {
        self.is_stopping() || *self.drained.borrow()
    }

    pub fn figures(&self) -> RunnerFigures {
        RunnerFigures {
            slots: self.slots,
            busy: self.tasks.lock().unwrap_or_else(PoisonError::into_inner).len(),
            is_draining: self.is_draining(),
            claims: self.claims.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            uptime: self.started.elapsed(),
            silence: self.last_contact.lock().unwrap_or_else(PoisonError::into_inner).elapsed(),
        }
    }
}

/// A task at work.
#[derive(Debug)]
pub struct TaskGuard<'a> {
    status: &'a RunnerStatus,
    task: String,
    pub gauge: Arc<JobGauge>,
}

impl Drop for TaskGuard<'_> {
    fn drop(&mut self) {
        self.status.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_names_the_tasks_at_work() {
        let status = RunnerStatus::new(4);
        let first = status.begin_task("one");
        let second = status.begin_task("two");
        let tasks =
            |status: &RunnerStatus| status.heartbeat().jobs.into_iter().map(|job| job.task_id).collect::<Vec<_>>();
        assert_eq!(tasks(&status), ["one", "two"]);
        drop(first);
        assert_eq!(tasks(&status), ["two"]);
        drop(second);
        let figures = status.figures();
        assert_eq!((figures.busy, figures.claims, figures.slots), (0, 2, 4));
    }

    #[tokio::test]
    async fn a_drained_runner_is_active_again_when_it_is_resumed() {
        let status = RunnerStatus::new(1);
        assert!(status.obey(&[RunnerCommand::Drain, RunnerCommand::Unknown]));
        assert!(!status.obey(&[RunnerCommand::Drain]), "it drains already");
        assert_eq!(status.heartbeat().state, "draining");
        let resumed = async { assert!(status.obey(&[RunnerCommand::Resume])) };
        tokio::join!(status.wait_until_active(), resumed);
        assert_eq!(status.heartbeat().state, "active");
    }

    #[test]
    fn a_runner_that_is_stopped_drains_whatever_it_is_asked() {
        let status = RunnerStatus::new(1);
        status.stop();
        status.obey(&[RunnerCommand::Resume]);
        assert_eq!(status.heartbeat().state, "draining");
    }
}
