//! The job `Dispatch`: admits the sessions that are next on the session's agent, and hands the session over if it is
//! admitted.

use std::time::Duration;

use crate::{
    engine::{
        admission::{AdmissionAttempt, QUEUE_BATCH, admit_session},
        handover::hand_over,
        routing::admit_on_suitable_agent,
        services::Engine,
    },
    kernel::error::Result,
    platform::queue::job::JobOutcome,
    sessions::{SessionKey, store},
};

/// How long a dispatch job waits while another admission is under way on its agent. That admission reads the queue once
/// more before it ends, so the job only matters if it fails.
const BUSY_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Runs the job `Dispatch` for a session.
pub async fn dispatch(engine: &Engine, key: SessionKey) -> Result<JobOutcome> {
    // While another admission is under way, it reads the queue.
    let limit = if engine.admission_gate.is_idle() { QUEUE_BATCH } else { 0 };
    let Some(state) = store::dispatch_state(&engine.db, key, engine.clock.now(), limit).await? else {
        return Ok(JobOutcome::Complete);
    };
    if !state.queued {
        return if state.awaits_handover { hand_over(engine, key).await } else { Ok(JobOutcome::Complete) };
    }
    let (routable, agent_id) = (state.routed && state.tenant_has_capacity, state.agent_id);
    let admitted = match admit_session(engine, key.id, state, limit > 0).await? {
        AdmissionAttempt::Busy => return Ok(JobOutcome::Snooze(BUSY_RETRY_DELAY)),
        AdmissionAttempt::Admitted => true,
        // The agent that was assigned first has no capacity for the session, or does not suit it.
        AdmissionAttempt::Waits if routable => admit_on_suitable_agent(engine, key, agent_id).await?,
        AdmissionAttempt::Waits => false,
    };
    if admitted { hand_over(engine, key).await } else { Ok(JobOutcome::Complete) }
}
