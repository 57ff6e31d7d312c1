//! Wakes agents that wait for tasks. All waiting claims of a process share one connection to Redis, which the claims
//! read in turns. A lost notification delays a claim by no more than [`POLL_INTERVAL`].

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    kernel::id::AgentId,
    platform::redis::cache::{Cache, Listener},
};

/// How long a claim waits for a notification before it looks for tasks by itself.
pub const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The same while there are no notifications.
const POLL_INTERVAL_WITHOUT_REDIS: Duration = Duration::from_secs(1);

/// How long to wait before the next attempt to subscribe.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

const CHANNEL: &str = "external:tasks";

/// Notifies the waiting claims of an agent that a task is available.
pub async fn notify_agent(cache: &Cache, agent: AgentId) {
    let published = cache.query::<i64>(redis::cmd("PUBLISH").arg(CHANNEL).arg(agent.to_string())).await;
    if let Err(error) = published {
        tracing::debug!(?error, agent.id = %agent, "a task notification was not published; waiting claims poll");
    }
}

/// The waiting claims of this process.
#[derive(Default)]
pub struct TaskWaiters {
    agents: Mutex<HashMap<AgentId, WaitingAgent>>,
    /// The subscription, while claims wait. Whoever holds the lock reads it for all.
    listener: AsyncMutex<Option<Listener>>,
    is_subscribed: AtomicBool,
}

/// The claims of one agent that wait.
struct WaitingAgent {
    tasks: watch::Sender<()>,
    claims: usize,
}

impl TaskWaiters {
    /// Begins to wait for a task of an agent; `None` if `most` claims of it wait already.
    pub fn begin(&self, agent: AgentId, most: usize) -> Option<WaitingClaim<'_>> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = agents.entry(agent).or_insert_with(|| WaitingAgent { tasks: watch::Sender::new(()), claims: 0 });
        if waiting.claims >= most {
            return None;
        }
        waiting.claims += 1;
        Some(WaitingClaim { waiters: self, agent, tasks: waiting.tasks.subscribe() })
    }

    /// Receives the notifications of all agents, for as long as it is polled.
    async fn receive_all(&self, cache: &Cache) -> Infallible {
        let mut listener = self.listener.lock().await;
        loop {
            let Some(active) = listener.as_mut() else {
                match cache.listen(CHANNEL).await {
                    Ok(new) => {
                        *listener = Some(new);
                        self.is_subscribed.store(true, Ordering::Relaxed);
                        // A task that came before the subscription sent no notification.
                        self.wake(None);
                    }
                    Err(error) => {
                        tracing::debug!(?error, "task notifications are unavailable; waiting claims poll");
                        sleep(RECONNECT_PAUSE).await;
                    }
                }
                continue;
            };
            if let Some(text) = active.next_message().await {
                self.wake(text.parse().ok());
            } else {
                *listener = None;
                self.is_subscribed.store(false, Ordering::Relaxed);
            }
        }
    }

    /// Wakes the claims of an agent, or of all agents.
    fn wake(&self, agent: Option<AgentId>) {
        let agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = agents.iter().filter(|(id, _)| agent.is_none_or(|agent| agent == **id));
        woken.for_each(|(_, waiting)| waiting.tasks.send_modify(|()| ()));
    }

    fn end(&self, agent: AgentId) {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = agents.get_mut(&agent) {
            waiting.claims -= 1;
            if waiting.claims == 0 {
                agents.remove(&agent);
            }
        }
        // A subscription that nobody reads would only collect messages.
        if agents.is_empty()
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
    /// Waits for a notification, for the next poll, or until `end`.
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
        self.waiters.end(self.agent);
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
        waiters.wake(Some(agent));
        let is_woken = |claim: &WaitingClaim<'_>| claim.tasks.has_changed().unwrap();
        assert!(is_woken(&first) && is_woken(&second) && !is_woken(&other));
        drop(first);
        assert!(waiters.begin(agent, 2).is_some());
        drop((second, other));
        assert!(waiters.agents.lock().unwrap().is_empty(), "nothing is left behind");
    }
}
