//! One task from its claim to its result: workspace, gateway, sandbox, agent, delivery. Whatever happens, nothing is
//! left of it.

mod agent_run;
mod agent_start;
mod approval;
mod attachments;
mod conversation;
mod delivery;
mod questions;
pub mod reporter;
mod run;
mod session_locks;
pub mod transcript;

use std::{path::Path, time::Instant};

use tokio::{fs, sync::mpsc};

pub use self::run::{Job, JobContext, RunEnd};
pub use self::session_locks::SessionLocks;
use self::{
    agent_start::AgentRun,
    delivery::deliver,
    reporter::{Command, Notice, report_until_end},
    run::RunOutcome,
};
use crate::{
    control_plane::{ControlPlane, wire::Task},
    sandbox::{AgentUser, Isolation, reclaim_work_tree},
    workspace::{Owner, WorkspaceSource},
};

/// What people are to know of a session whose agent is not in a sandbox.
const NO_SANDBOX: &str = "ISOLATION_PROCESS: this runner makes no sandbox. The agent can read what its user may read on \
                          the machine, and its network is not limited.";

/// Works on a task and reports its result, unless the task is lost meanwhile.
pub async fn run_job(context: &JobContext, plane: &ControlPlane, job: &Job) {
    let _session = context.sessions.lock(&job.task.session_id).await;
    let started = Instant::now();
    let folder = context.runs.join(&job.task.session_id);
    let (notices, received) = mpsc::channel(64);
    // Without a bound, so that a report never waits for an agent that starts: its own end, the control plane, has one.
    let (commands, orders) = mpsc::unbounded_channel();
    // Until nothing of the session is left.
    let user = context.users.acquire();
    let work = work_on(context, (job, user.user()), &folder, notices, orders);
    let (outcome, is_ours) = tokio::join!(work, report_until_end(plane, &job.task, received, commands));
    if is_ours {
        deliver(plane, &job.task, outcome, started.elapsed()).await;
    }
    clean_up(context, &job.task.session_id, &folder).await;
}

async fn work_on(
    context: &JobContext,
    (job, user): (&Job, AgentUser),
    folder: &Path,
    notices: mpsc::Sender<Notice>,
    orders: mpsc::UnboundedReceiver<Command>,
) -> RunOutcome {
    let source = source_of(&job.task);
    let network = match context.egress.choose_policy(job.task.input_data.get("network")) {
        Ok(network) => network,
        Err(error) => return RunOutcome::without_workspace(RunEnd::failed(error.code(), &error)),
    };
    let _ = notices.send(Notice::phase("cloning")).await;
    let workspaces = context.workspaces.for_owner(Owner { uid: user.uid, gid: user.gid });
    let workspace = match workspaces.prepare("own", &job.task.session_id, &source).await {
        Ok(workspace) => workspace,
        Err(error) => return RunOutcome::without_workspace(RunEnd::failed(error.code(), &error.message())),
    };
    for warning in workspace.warnings() {
        let _ = notices.send(Notice::log("warning", &warning.message)).await;
    }
    let method = context.method.clone().with_agent_user(user);
    if method.isolation() != Isolation::Sandbox {
        let _ = notices.send(Notice::log("warning", NO_SANDBOX)).await;
    }
    let _ = notices.send(Notice::phase("starting")).await;
    let run = AgentRun { context, job, folder, workspace: &workspace, method: &method, network: &network };
    let report = Box::pin(run.drive(&notices, orders)).await;
    let _ = notices.send(Notice::phase("delivering")).await;
    RunOutcome { report, workspace: Some(workspace) }
}

fn source_of(task: &Task) -> WorkspaceSource {
    let place = task.context.workspace.clone().unwrap_or_default();
    let patch = task.context.continuation.as_ref().map(|continued| continued.patch.clone());
    WorkspaceSource {
        repository: place.repository,
        reference: place.reference,
        directory: place.directory,
        continuation: patch.filter(|patch| !patch.is_empty()),
    }
}

/// Removes the workspace and the folder of the run. What cannot be removed is removed at the next start.
async fn clean_up(context: &JobContext, session: &str, folder: &Path) {
    let _ = reclaim_work_tree(folder);
    if let Err(error) = context.workspaces.remove(session).await {
        tracing::warn!(%error, session.id = session, "the workspace could not be removed");
    }
    match fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, session.id = session, "the folder of the run could not be removed");
        }
        _ => {}
    }
}
