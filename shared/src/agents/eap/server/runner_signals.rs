//! The signals for one connection of a runner, each once, until they are sent.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    kernel::id::{AgentId, ExternalTaskId, RunnerId},
    platform::notification::RunnerSignal,
};

/// Collects the signals for one connection.
pub(super) struct RunnerSignals {
    runner: RunnerId,
    agents: BTreeSet<AgentId>,
    pending: Mutex<PendingSignals>,
    added: Notify,
}

/// What a runner is to do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PendingSignals {
    /// Signals may have been lost: everything is to be asked for.
    pub refresh: bool,
    /// The agents for which tasks wait.
    pub agents: BTreeSet<AgentId>,
    /// The tasks with news.
    pub tasks: BTreeSet<ExternalTaskId>,
    /// The runner was removed, or has a newer connection.
    pub is_over: bool,
}

impl RunnerSignals {
    pub(super) fn new(runner: RunnerId, agents: BTreeSet<AgentId>) -> Self {
        Self { runner, agents, pending: Mutex::default(), added: Notify::new() }
    }

    /// Adds a signal if it concerns the runner; `None` says that some may have been lost.
    pub(super) fn add(&self, signal: Option<RunnerSignal>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match signal {
            None => pending.refresh = true,
            Some(RunnerSignal::TaskAvailable { agent_id }) if self.agents.contains(&agent_id) => {
                pending.agents.insert(agent_id);
            }
            Some(RunnerSignal::TaskChanged { runner_id, task_id }) if runner_id == self.runner => {
                pending.tasks.insert(task_id);
            }
            Some(RunnerSignal::RunnerRemoved { runner_id }) if runner_id == self.runner => pending.is_over = true,
            Some(_) => return,
        }
        self.added.notify_one();
    }

    /// Ends the connection.
    pub(super) fn end(&self) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.added.notify_one();
    }

    /// Waits until there are signals, and takes them.
    pub(super) async fn take(&self) -> PendingSignals {
        loop {
            let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
            if pending != PendingSignals::default() {
                return pending;
            }
            self.added.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_runner_receives_each_signal_that_concerns_it_once() {
        let (runner, agent, task) = (RunnerId::new(), AgentId::new(), ExternalTaskId(uuid::Uuid::nil()));
        let signals = RunnerSignals::new(runner, BTreeSet::from([agent]));
        for signal in [
            RunnerSignal::TaskAvailable { agent_id: AgentId::new() },
            RunnerSignal::TaskChanged { runner_id: RunnerId::new(), task_id: task },
            RunnerSignal::RunnerRemoved { runner_id: RunnerId::new() },
        ] {
            signals.add(Some(signal));
        }
        assert_eq!(*signals.pending.lock().unwrap(), PendingSignals::default(), "those are for others");
        for _ in 0..2 {
            signals.add(Some(RunnerSignal::TaskAvailable { agent_id: agent }));
            signals.add(Some(RunnerSignal::TaskChanged { runner_id: runner, task_id: task }));
        }
        let (agents, tasks) = (BTreeSet::from([agent]), BTreeSet::from([task]));
        assert_eq!(signals.take().await, PendingSignals { agents, tasks, ..PendingSignals::default() });
        signals.add(None);
        assert_eq!(signals.take().await, PendingSignals { refresh: true, ..PendingSignals::default() });
    }
}
