//! Runners that are silent. The reconciler checks all of them in one statement.

use chrono::TimeDelta;

use crate::{
    agents::{
        eap::server::{OFFLINE_AFTER, runner_heartbeat_interval},
        services::AgentServices,
    },
    kernel::error::Result,
};

use super::store;

/// How long a runner that was removed or is silent stays in the database, and an enrolment that has expired.
const RETENTION: TimeDelta = TimeDelta::days(7);

/// Marks the runners that were silent for too long as offline. Their leases have ended by then, as they last no longer;
/// another runner of the pool claims their tasks.
pub async fn mark_silent_runners(services: &AgentServices) -> Result<()> {
    let now = services.clock.now();
    let silence = runner_heartbeat_interval(services.heartbeat_interval) * OFFLINE_AFTER;
    let before = now - TimeDelta::from_std(silence).unwrap_or_default();
    for (id, name) in store::mark_silent(&services.db, before, now).await? {
        tracing::warn!(runner.id = %id, runner.name = name, "a runner is silent");
    }
    store::delete_outdated(&services.db, now - RETENTION).await
}
