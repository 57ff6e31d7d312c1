//! One task from its claim to its result: workspace, gateway, sandbox, agent, delivery. Whatever happens, nothing is
//! left of it.

mod agent_run;
mod agent_start;
mod approval;
mod attachments;
mod children;
mod conversation;
mod delivery;
mod environment;
mod idle_watch;
mod interruption;
mod mcp_servers;
mod model_calls;
mod outage;
mod questions;
pub mod reporter;
mod run;
mod session_locks;
mod session_secrets;
pub mod session_slots;
mod session_work;
pub mod setup;
mod steering;
pub mod transcript;
mod work_collection;

use std::{path::Path, time::Instant};

use tokio::sync::mpsc;

pub use self::outage::OutageLimits;
pub use self::run::{Job, JobContext, RunEnd};
pub use self::session_locks::SessionLocks;
pub use self::session_slots::SessionSlots;
use self::{
    delivery::deliver, environment::adapt_job, reporter::report_until_end, run::RunOutcome,
    session_secrets::SessionSecrets, session_slots::SlotHolder, session_work::SessionWork,
};
use crate::{control_plane::ControlPlane, sandbox::reclaim_work_tree, workspace::remove_agents_folder};

/// Works on a task and reports its result, unless the task is lost meanwhile.
pub async fn run_job(context: &JobContext, plane: &ControlPlane, job: &Job) {
    let _session = context.sessions.lock(&job.task.session_id).await;
    let started = Instant::now();
    // Nothing is reported before: with the first report, secrets can no longer be asked for.
    let received = SessionSecrets::receive(plane, &job.task).await;
    let prepared = received.and_then(|secrets| Ok((adapt_job(job)?, secrets)));
    let (job, secrets) = match prepared {
        Ok(prepared) => prepared,
        Err(end) => return deliver(plane, &job.task, RunOutcome::without_workspace(end), started.elapsed()).await,
    };
    let plane = &plane.hiding(secrets.mask());
    let folder = context.runs.join(&job.task.session_id);
    let (notices, received) = mpsc::channel(64);
    // Without a bound, so that a report never waits for an agent that starts: its own end, the control plane, has one.
    let (commands, orders) = mpsc::unbounded_channel();
    // Both until nothing of the session is left.
    let mut slot = SlotHolder::new(&context.slots);
    let user = context.users.acquire();
    let work = SessionWork { context, plane, job: &job, secrets: &secrets, folder: &folder, user: user.user() };
    let work = Box::pin(work.run(notices, orders, &mut slot));
    let (outcome, is_ours) = tokio::join!(work, report_until_end(plane, &job, context.outage, (received, commands)));
    if is_ours {
        deliver(plane, &job.task, outcome, started.elapsed()).await;
    }
    clean_up(context, &job.task.session_id, &folder).await;
}

/// Removes the workspace and the folder of the run. What cannot be removed is removed at the next start.
async fn clean_up(context: &JobContext, session: &str, folder: &Path) {
    let _ = reclaim_work_tree(folder);
    if let Err(error) = context.workspaces.remove(session).await {
        tracing::warn!(%error, session.id = session, "the workspace could not be removed");
    }
    if let Err(error) = remove_agents_folder(folder.to_owned()).await {
        tracing::warn!(%error, session.id = session, "the folder of the run could not be removed");
    }
}
