//! Signals of the control plane: a WebSocket says what is to be asked for, so that work and answers of people arrive at
//! once and nothing waits for them in a call. Without it, claims wait, and reports ask often.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Deserialize;
use tokio::sync::{Notify, watch};

/// What has been signalled. Claims and reports wait for it.
#[derive(Debug, Default)]
pub struct RunnerSignals {
    is_connected: AtomicBool,
    waiting: Mutex<WaitingCalls>,
}

#[derive(Debug, Default)]
struct WaitingCalls {
    /// By the agent that the runner works as.
    claims: BTreeMap<String, watch::Sender<()>>,
    /// By the task.
    reports: BTreeMap<String, Arc<Notify>>,
}

/// A frame of the connection.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum SignalFrame {
    /// A task waits for an agent.
    TaskAvailable { agent_id: String },
    /// There are messages for a task, or it is to be cancelled.
    TaskChanged { task_id: String },
    /// Signals may have been lost.
    Refresh,
    /// A signal of a later version.
    #[serde(other)]
    Unknown,
}

impl RunnerSignals {
    /// Whether signals arrive.
    pub fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// The connection was opened or lost. Whoever waits asks at once: signals may have been lost before.
    pub(super) fn set_connected(&self, is_connected: bool) {
        self.is_connected.store(is_connected, Ordering::Relaxed);
        self.refresh();
    }

    /// Follows whether tasks wait for an agent.
    pub fn watch_agent(&self, agent: &str) -> watch::Receiver<()> {
        self.waiting().claims.entry(agent.to_owned()).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    /// Follows a task until the guard is dropped.
    pub fn watch_task(&self, task: &str) -> TaskSignals<'_> {
        let changed = Arc::<Notify>::default();
        self.waiting().reports.insert(task.to_owned(), changed.clone());
        TaskSignals { signals: self, task: task.to_owned(), changed }
    }

    /// Does what a frame says. One that is not understood says nothing.
    pub(super) fn receive(&self, frame: &str) {
        match serde_json::from_str(frame) {
            Ok(SignalFrame::TaskAvailable { agent_id }) => {
                if let Some(claims) = self.waiting().claims.get(&agent_id) {
                    claims.send_modify(|()| ());
                }
            }
            Ok(SignalFrame::TaskChanged { task_id }) => {
                if let Some(changed) = self.waiting().reports.get(&task_id) {
                    changed.notify_one();
                }
            }
            Ok(SignalFrame::Refresh) => self.refresh(),
            Ok(SignalFrame::Unknown) => {}
            Err(error) => tracing::debug!(%error, "a frame of the control plane is not understood"),
        }
    }

    fn refresh(&self) {
        let waiting = self.waiting();
        waiting.claims.values().for_each(|claims| claims.send_modify(|()| ()));
        waiting.reports.values().for_each(|changed| changed.notify_one());
    }

    fn waiting(&self) -> MutexGuard<'_, WaitingCalls> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The signals about one task.
#[derive(Debug)]
pub struct TaskSignals<'a> {
    signals: &'a RunnerSignals,
    task: String,
    changed: Arc<Notify>,
}

impl TaskSignals<'_> {
    /// Waits until there is something to ask for. A signal that came before is not lost.
    pub async fn wait_for_change(&self) {
        self.changed.notified().await;
    }
}

impl Drop for TaskSignals<'_> {
    fn drop(&mut self) {
        self.signals.waiting().reports.remove(&self.task);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_signal_wakes_the_calls_that_it_concerns() {
        let signals = RunnerSignals::default();
        let (mut own, mut other) = (signals.watch_agent("one"), signals.watch_agent("two"));
        let task = signals.watch_task("task");
        let (has_work, changed) = (|| own.has_changed().unwrap(), || task.wait_for_change().now_or_never());
        assert!(!has_work() && changed().is_none());
        signals.receive(r#"{"type": "task_available", "agent_id": "one"}"#);
        assert!(has_work() && changed().is_none());
        signals.receive(r#"{"type": "task_changed", "task_id": "task"}"#);
        assert!(changed().is_some() && changed().is_none());
        assert!(!other.has_changed().unwrap());
        other.mark_unchanged();
        own.mark_unchanged();
        for frame in [r#"{"type": "later"}"#, "no JSON", r#"{"type": "task_changed", "task_id": "unknown"}"#] {
            signals.receive(frame);
        }
        assert!(!own.has_changed().unwrap());
    }

    #[test]
    fn all_calls_ask_again_when_the_connection_was_lost_or_signals_were() {
        let signals = RunnerSignals::default();
        let (mut claims, task) = (signals.watch_agent("one"), signals.watch_task("task"));
        for event in ["opened", "refresh", "lost"] {
            match event {
                "refresh" => signals.receive(r#"{"type": "refresh"}"#),
                _ => signals.set_connected(event == "opened"),
            }
            assert!(claims.has_changed().unwrap() && task.wait_for_change().now_or_never().is_some(), "{event}");
            claims.mark_unchanged();
        }
        assert!(!signals.is_connected());
        drop(task);
        assert!(signals.waiting().reports.is_empty());
    }
}
