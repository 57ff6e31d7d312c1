//! The background jobs. Hosts call them with the messages of a queue or on a schedule.

mod migrate;

pub use migrate::migrate;

use shared::{
    app::{App, reconciler},
    engine::{admission, agent_departure, cleanup, dispatch, observe, server_probe},
    events::stream::gateway::{broadcast_tenant, signal_runners},
    kernel::error::Result,
    platform::queue::job::{Job, JobOutcome},
    sessions::SessionKey,
    training::jobs,
};
use tracing::{Instrument, Span};

/// Does one job.
pub async fn run(app: &App, job: Job) -> Result<JobOutcome> {
    let span = job_span(&job);
    do_job(app, job).instrument(span).await
}

/// The span of a job in the log, with the ids of what it is about.
fn job_span(job: &Job) -> Span {
    match job {
        Job::Dispatch { tenant_id, session_id, .. } => {
            tracing::info_span!("dispatch", tenant.id = %tenant_id, session.id = %session_id)
        }
        Job::Observe { tenant_id, session_id, .. } => {
            tracing::info_span!("observe", tenant.id = %tenant_id, session.id = %session_id)
        }
        Job::Admit { tenant_id, agent_id, .. } => {
            tracing::info_span!("admit", tenant.id = %tenant_id, agent.id = %agent_id)
        }
        Job::ReassignSessions { tenant_id, agent_id, .. } => {
            tracing::info_span!("reassign_sessions", tenant.id = %tenant_id, agent.id = %agent_id)
        }
        Job::ProbeAgent { agent_id, .. } => tracing::info_span!("probe_agent", agent.id = %agent_id),
        Job::ReleaseWorkspace { tenant_id, session_id, .. } => {
            tracing::info_span!("release_workspace", tenant.id = %tenant_id, session.id = %session_id)
        }
        Job::Broadcast { tenant_id, .. } => tracing::info_span!("broadcast", tenant.id = %tenant_id),
        Job::SignalRunners { signal, .. } => tracing::info_span!("signal_runners", ?signal),
        Job::Train { tenant_id, job_id, .. } => {
            tracing::info_span!("train", tenant.id = %tenant_id, training.id = %job_id)
        }
        Job::PollTraining { tenant_id, job_id, .. } => {
            tracing::info_span!("poll_training", tenant.id = %tenant_id, training.id = %job_id)
        }
        Job::Reconcile { .. } => tracing::info_span!("reconcile"),
    }
}

async fn do_job(app: &App, job: Job) -> Result<JobOutcome> {
    match job {
        Job::Dispatch { tenant_id, session_id, .. } => {
            Box::pin(dispatch::dispatch(app, SessionKey::new(tenant_id, session_id))).await
        }
        Job::Observe { tenant_id, session_id, .. } => {
            Box::pin(observe::observe(app, SessionKey::new(tenant_id, session_id))).await
        }
        Job::Admit { agent_id, .. } => Box::pin(admission::admit_for_agent(app, agent_id)).await,
        Job::ReassignSessions { tenant_id, agent_id, .. } => {
            Box::pin(agent_departure::reassign_sessions(app, tenant_id, agent_id)).await
        }
        Job::ProbeAgent { agent_id, .. } => Box::pin(server_probe::probe_agent(app, agent_id)).await,
        Job::ReleaseWorkspace { tenant_id, session_id, .. } => {
            Box::pin(cleanup::release_workspace(app, SessionKey::new(tenant_id, session_id))).await
        }
        Job::Broadcast { tenant_id, .. } => Box::pin(broadcast_tenant(app, tenant_id)).await,
        Job::SignalRunners { signal, .. } => Box::pin(signal_runners(app, signal)).await,
        Job::Train { tenant_id, job_id, .. } => Box::pin(jobs::step::run_due_step(app, tenant_id, job_id, false)).await,
        Job::PollTraining { tenant_id, job_id, .. } => {
            Box::pin(jobs::step::run_due_step(app, tenant_id, job_id, true)).await
        }
        Job::Reconcile { .. } => Box::pin(reconciler::reconcile(app)).await,
    }
}
