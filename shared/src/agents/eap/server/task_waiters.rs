//! What waits in this process for signals about tasks: claims, and the connections of runners. All share one connection
//! to Redis, which they read in turns. A lost signal delays a claim by no more than [`POLL_INTERVAL`].

use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    kernel::id::{AgentId, RunnerId},
    platform::{
        notification::RunnerSignal,
        redis::cache::{Cache, Listener},
    },
};

use super::{
    runner_signals::{PendingSignals, RunnerSignals},
    task_notifier::CHANNEL,
};

/// How long a claim waits for a signal before it looks for tasks by itself.
pub const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The same while there are no signals.
const POLL_INTERVAL_WITHOUT_REDIS: Duration = Duration::from_secs(1);

/// How long to wait before the next attempt to subscribe.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Everything in this process that waits for signals.
#[derive(Default)]
pub struct TaskWaiters {
    waiting: Mutex<Waiting>,
    /// The subscription, while anything waits. Whoever holds the lock reads it for all.
    listener: AsyncMutex<Option<Listener>>,
    is_subscribed: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    agents: HashMap<AgentId, WaitingAgent>,
    /// The newest connection of each runner.
    runners: HashMap<RunnerId, Arc<RunnerSignals>>,
}

/// The claims of one agent that wait.
struct WaitingAgent {
    tasks: watch::Sender<()>,
    claims: usize,
}

impl TaskWaiters {
    /// Begins to wait for a task of an agent; `None` if `most` claims of it wait already.
    pub fn begin(&self, agent: AgentId, most: usize) -> Option<WaitingClaim<'_>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let of_agent =
            waiting.agents.entry(agent).or_insert_with(|| WaitingAgent { tasks: watch::Sender::new(()), claims: 0 });
        if of_agent.claims >= most {
            return None;
        }
        of_agent.claims += 1;
        Some(WaitingClaim { waiters: self, agent, tasks: of_agent.tasks.subscribe() })
    }

    /// Begins to collect the signals for a runner that works as these agents. An earlier connection of it is over.
    pub fn subscribe_runner(&self, runner: RunnerId, agents: BTreeSet<AgentId>) -> RunnerSubscription<'_> {
        let signals = Arc::new(RunnerSignals::new(runner, agents));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = waiting.runners.insert(runner, signals.clone()) {
            earlier.end();
        }
        RunnerSubscription { waiters: self, runner, signals }
    }

    /// Receives all signals, for as long as it is polled.
    async fn receive_all(&self, cache: &Cache) -> Infallible {
        let mut listener = self.listener.lock().await;
        loop {
            let Some(active) = listener.as_mut() else {
                match cache.listen(CHANNEL).await {
                    Ok(new) => {
                        *listener = Some(new);
                        self.is_subscribed.store(true, Ordering::Relaxed);
                        // What came before the subscription sent no signal.
                        self.wake(None);
                    }
                    Err(error) => {
                        tracing::debug!(?error, "signals about tasks are unavailable; claims and runners poll");
                        sleep(RECONNECT_PAUSE).await;
                    }
                }
                continue;
            };
            if let Some(text) = active.next_message().await {
                self.wake(serde_json::from_str(&text).ok());
            } else {
                *listener = None;
                self.is_subscribed.store(false, Ordering::Relaxed);
            }
        }
    }

    /// Wakes whatever a signal concerns, or everything.
    fn wake(&self, signal: Option<RunnerSignal>) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = waiting.agents.iter().filter(|(id, _)| match signal {
            None => true,
            Some(RunnerSignal::TaskAvailable { agent_id }) => agent_id == **id,
            Some(_) => false,
        });
        woken.for_each(|(_, waiting)| waiting.tasks.send_modify(|()| ()));
        waiting.runners.values().for_each(|signals| signals.add(signal));
    }

    fn remove(&self, remove: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        remove(&mut waiting);
        // A subscription that nobody reads would only collect messages.
        if waiting.agents.is_empty()
            && waiting.runners.is_empty()
            && let Ok(mut listener) = self.listener.try_lock()
        {
            *listener = None;
            self.is_subscribed.store(false, Ordering::Relaxed);
        }
    }
}

/// A claim that waits for a task.
pub struct WaitingClaim<'a> {
    waiters: &'a TaskWaiters,
    agent: AgentId,
    tasks: watch::Receiver<()>,
}

impl WaitingClaim<'_> {
    /// Waits for a signal, for the next poll, or until `end`.
    pub async fn wait_for_task(&mut self, cache: &Cache, end: Instant) {
        let is_subscribed = self.waiters.is_subscribed.load(Ordering::Relaxed);
        let interval = if is_subscribed { POLL_INTERVAL } else { POLL_INTERVAL_WITHOUT_REDIS };
        tokio::select! {
            _ = self.tasks.changed() => {}
            never = self.waiters.receive_all(cache) => match never {},
            () = sleep_until(end.min(Instant::now() + interval)) => {}
        }
    }
}

impl Drop for WaitingClaim<'_> {
    fn drop(&mut self) {
        self.waiters.remove(|waiting| {
            if let Some(of_agent) = waiting.agents.get_mut(&self.agent) {
                of_agent.claims -= 1;
                if of_agent.claims == 0 {
                    waiting.agents.remove(&self.agent);
                }
            }
        });
    }
}

/// The signals for one connection of a runner.
pub struct RunnerSubscription<'a> {
    waiters: &'a TaskWaiters,
    runner: RunnerId,
    signals: Arc<RunnerSignals>,
}

impl RunnerSubscription<'_> {
    /// Waits for signals, and takes all that have come.
    pub async fn next_signals(&self, cache: &Cache) -> PendingSignals {
        tokio::select! {
            pending = self.signals.take() => pending,
            never = self.waiters.receive_all(cache) => match never {},
        }
    }
}

impl Drop for RunnerSubscription<'_> {
    fn drop(&mut self) {
        self.waiters.remove(|waiting| {
            if waiting.runners.get(&self.runner).is_some_and(|newest| Arc::ptr_eq(newest, &self.signals)) {
                waiting.runners.remove(&self.runner);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_has_a_bounded_number_of_waiting_claims() {
        let (waiters, agent) = (TaskWaiters::default(), AgentId::new());
        let first = waiters.begin(agent, 2).unwrap();
        let second = waiters.begin(agent, 2).unwrap();
        assert!(waiters.begin(agent, 2).is_none());
        let other = waiters.begin(AgentId::new(), 2).unwrap();
        waiters.wake(Some(RunnerSignal::TaskAvailable { agent_id: agent }));
        let is_woken = |claim: &WaitingClaim<'_>| claim.tasks.has_changed().unwrap();
        assert!(is_woken(&first) && is_woken(&second) && !is_woken(&other));
        drop(first);
        assert!(waiters.begin(agent, 2).is_some());
        drop((second, other));
        assert!(waiters.waiting.lock().unwrap().agents.is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn a_second_connection_of_a_runner_ends_the_first() {
        let (waiters, runner, agent_id) = (TaskWaiters::default(), RunnerId::new(), AgentId::new());
        let first = waiters.subscribe_runner(runner, BTreeSet::from([agent_id]));
        let second = waiters.subscribe_runner(runner, BTreeSet::from([agent_id]));
        assert!(first.signals.take().await.is_over);
        drop(first);
        waiters.wake(Some(RunnerSignal::TaskAvailable { agent_id }));
        assert_eq!(second.signals.take().await.agents, BTreeSet::from([agent_id]));
        drop(second);
        assert!(waiters.waiting.lock().unwrap().runners.is_empty(), "nothing is left behind");
    }
}
