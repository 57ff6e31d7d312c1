//! Changes that may take a session from paused to running: decided by the free capacity, under the locks that guard it.

use crate::{
    engine::{follow_up, services::Engine},
    kernel::{actor::By, error::Result},
    platform::postgres::lock_names,
    sessions::{
        SessionKey,
        admission::AdmissionSnapshot,
        change::SessionChange,
        store::{self, AgentSelector},
        transitions::commands::CommandOutcome,
    },
};

/// Changes a session, decided by the capacity of its tenant and its agent.
pub(crate) async fn change_by_capacity(
    engine: &Engine,
    key: SessionKey,
    by: impl Into<By>,
    decide: impl FnOnce(&mut SessionChange, &AdmissionSnapshot) -> Result<CommandOutcome>,
) -> Result<CommandOutcome> {
    let now = engine.clock.now();
    let before = store::find_session(&engine.db, key, now).await?.session;
    let mut tx = engine.db.tenant(key.tenant_id).await?;
    if let Some(agent) = before.run.agent_id {
        tx.take_lock(&lock_names::agent_turns(agent));
    }
    tx.take_lock(&lock_names::tenant_slots(key.tenant_id));
    tx.take_lock(&lock_names::tenant_queue(key.tenant_id));
    let (session, snapshot) = store::lock_with_snapshot(&mut tx, key, AgentSelector::Assigned, now).await?;
    let mut change = SessionChange::new(session, by, now);
    let outcome = decide(&mut change, &snapshot)?;
    follow_up::save_and_follow_up(engine, tx, &mut change).await?;
    Ok(outcome)
}
