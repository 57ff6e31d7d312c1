//! The background tasks, one function a job. Hosts hand them the messages of a lane, or call them on a schedule.

mod migrate;

pub use migrate::migrate;

use shared::{
    app::App,
    dispatch,
    error::Result,
    job::{Job, Verdict},
    live::gateway::broadcast,
    observe, sweep, tidy, tuning,
};
use tracing::Instrument;

/// Does one job.
pub async fn run(app: &App, job: Job) -> Result<Verdict> {
    match job {
        Job::Dispatch { tenant_id, session_id, .. } => {
            let span = tracing::info_span!("dispatch", tenant.id = %tenant_id, session.id = %session_id);
            Box::pin(dispatch::dispatch(app, tenant_id, session_id)).instrument(span).await
        }
        Job::Observe { tenant_id, session_id, .. } => {
            let span = tracing::info_span!("observe", tenant.id = %tenant_id, session.id = %session_id);
            Box::pin(observe::observe(app, tenant_id, session_id)).instrument(span).await
        }
        Job::GiveBack { tenant_id, session_id, .. } => {
            let span = tracing::info_span!("give_back", tenant.id = %tenant_id, session.id = %session_id);
            Box::pin(tidy::give_back(app, tenant_id, session_id)).instrument(span).await
        }
        Job::Broadcast { tenant_id, .. } => {
            let span = tracing::info_span!("broadcast", tenant.id = %tenant_id);
            Box::pin(broadcast(app, tenant_id)).instrument(span).await
        }
        Job::Train { tenant_id, job_id, .. } => {
            let span = tracing::info_span!("train", tenant.id = %tenant_id, training.id = %job_id);
            Box::pin(tuning::step::run(app, tenant_id, job_id, false)).instrument(span).await
        }
        Job::PollTraining { tenant_id, job_id, .. } => {
            let span = tracing::info_span!("poll_training", tenant.id = %tenant_id, training.id = %job_id);
            Box::pin(tuning::step::run(app, tenant_id, job_id, true)).instrument(span).await
        }
        Job::Sweep { .. } => Box::pin(sweep::sweep(app)).instrument(tracing::info_span!("sweep")).await,
    }
}
