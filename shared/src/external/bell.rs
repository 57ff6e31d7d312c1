//! The doorbell of an agent that waits for work. A bell that is lost costs the waiter no more than [`LOOK_AGAIN`].

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    cache::{Cache, Listener},
    id::AgentId,
};

/// How long a waiter trusts in the bell before it looks for itself.
pub const LOOK_AGAIN: Duration = Duration::from_secs(1);

fn channel(agent: AgentId) -> String {
    format!("external:{agent}")
}

/// Tells whoever waits for an agent's work that there is some.
pub async fn ring(cache: &Cache, agent: AgentId) {
    let rung = cache.query::<i64>(redis::cmd("PUBLISH").arg(channel(agent)).arg(1)).await;
    if let Err(error) = rung {
        tracing::debug!(?error, agent.id = %agent, "a bell was not rung; who waits looks again within a second");
    }
}

/// Somebody who waits for work.
pub struct Waiting(Option<Listener>);

impl Waiting {
    /// Listens from now on. Without Redis it only looks again.
    pub async fn for_work(cache: &Cache, agent: AgentId) -> Self {
        let listener = cache.listen(&channel(agent)).await;
        if let Err(error) = &listener {
            tracing::debug!(?error, agent.id = %agent, "nobody rings for this agent; it looks again each second");
        }
        Self(listener.ok())
    }

    /// Waits for the bell, until it is time to look again, or until the end.
    pub async fn wait(&mut self, end: Instant) {
        let until = end.min(Instant::now() + LOOK_AGAIN);
        let heard = match &mut self.0 {
            Some(listener) => timeout_at(until, listener.heard()).await.unwrap_or(true),
            None => false,
        };
        if !heard {
            self.0 = None;
            sleep(until.saturating_duration_since(Instant::now())).await;
        }
    }
}
