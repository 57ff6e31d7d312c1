//! The work on one session: its workspace, the set-up script of its environment, and its agent.

use std::path::Path;

use tokio::sync::mpsc;

use super::{
    agent_start::AgentRun,
    environment::{agent_network_of, check_isolation, setup_network_of, source_of, variables_of},
    reporter::{Command, Notice},
    run::{Job, JobContext, RunEnd, RunOutcome, RunReport},
    session_secrets::SessionSecrets,
    session_slots::SlotHolder,
    setup::SetupRun,
    work_collection::WorkCollection,
};
use crate::{
    control_plane::ControlPlane,
    egress::EgressPolicy,
    sandbox::{AgentUser, Isolation, IsolationMethod},
    workspace::{Owner, Workspace},
};

/// What people are to know of a session whose agent is not in a sandbox.
const NO_SANDBOX: &str = "ISOLATION_PROCESS: this runner makes no sandbox. The agent can read what its user may read on \
                          the machine, and its network is not limited.";

/// The work on one session.
pub(super) struct SessionWork<'a> {
    pub(super) context: &'a JobContext,
    /// Without the values of the session's secrets.
    pub(super) plane: &'a ControlPlane,
    pub(super) job: &'a Job,
    pub(super) secrets: &'a SessionSecrets,
    /// The folder of the run.
    pub(super) folder: &'a Path,
    /// The user of the script and the agent.
    pub(super) user: AgentUser,
}

/// What the parts of a session may reach of the network.
struct SessionNetwork {
    setup: EgressPolicy,
    agent: EgressPolicy,
}

impl SessionWork<'_> {
    /// Works until the agent has nothing more to do, or the session is cancelled.
    pub(super) async fn run(
        &self,
        notices: mpsc::Sender<Notice>,
        mut orders: mpsc::UnboundedReceiver<Command>,
        slot: &mut SlotHolder,
    ) -> RunOutcome {
        let Self { context, plane, job, secrets, folder, user } = *self;
        let network = match self.choose_network() {
            Ok(network) => network,
            Err(end) => return RunOutcome::without_workspace(end),
        };
        let mut said = Vec::new();
        let workspace = match self.begin(slot, &notices, (&mut orders, &mut said)).await {
            Ok(workspace) => workspace,
            Err(end) => return RunOutcome::without_workspace(end),
        };
        let method = context.method.clone().with_agent_user(user);
        warn_of_isolation(&method, &notices).await;
        let set_up = self.set_up((&workspace, &method, network.setup), &notices, (&mut orders, &mut said));
        let report = if let Err(end) = Box::pin(set_up).await {
            RunReport::without_work(end)
        } else {
            let run = AgentRun {
                context,
                plane,
                job,
                secrets,
                said: &said,
                folder,
                workspace: &workspace,
                method: &method,
                network: &network.agent,
                notices: &notices,
            };
            work_with_agent(run, orders, slot).await
        };
        let collection = WorkCollection { plane, job, workspace: &workspace, notices: &notices };
        RunOutcome { report, work: Box::pin(collection.run()).await }
    }

    /// Takes a slot and prepares the workspace. Claims follow the free slots, but a session that a person has answered
    /// may have been faster, and then this one waits.
    async fn begin(
        &self,
        slot: &mut SlotHolder,
        notices: &mpsc::Sender<Notice>,
        (orders, said): (&mut mpsc::UnboundedReceiver<Command>, &mut Vec<String>),
    ) -> Result<Workspace, RunEnd> {
        tokio::select! {
            () = slot.take() => self.prepare_workspace(notices).await,
            () = collect_until_cancelled(orders, said) => Err(RunEnd::Completed { text: String::new() }),
        }
    }

    /// What the session may reach, on a runner that satisfies its environment.
    fn choose_network(&self) -> Result<SessionNetwork, RunEnd> {
        let Self { context, job, .. } = *self;
        check_isolation(&job.task, context.method.isolation())?;
        let agent = context.egress.choose_policy(agent_network_of(&job.task).as_ref());
        let agent = agent.map_err(|error| RunEnd::failed(error.code(), &error))?;
        let has_setup = job.task.context.environment.as_ref().is_some_and(|environment| environment.setup.is_some());
        let asked = setup_network_of(&job.task).filter(|_| has_setup);
        let setup = context.egress.choose_setup_policy(asked.as_ref());
        Ok(SessionNetwork { setup: setup.map_err(|error| RunEnd::failed(error.code(), &error))?, agent })
    }

    async fn prepare_workspace(&self, notices: &mpsc::Sender<Notice>) -> Result<Workspace, RunEnd> {
        let source = source_of(&self.job.task, self.secrets);
        let _ = notices.send(Notice::phase("cloning")).await;
        let owner = Owner { uid: self.user.uid, gid: self.user.gid };
        let workspaces = self.context.workspaces.for_owner(owner);
        let prepared = workspaces.prepare("own", &self.job.task.session_id, &source).await;
        let workspace = prepared.map_err(|error| RunEnd::failed(error.code(), &error.message()))?;
        for warning in workspace.warnings() {
            let _ = notices.send(Notice::log("warning", &warning.message)).await;
        }
        Ok(workspace)
    }

    /// Runs the set-up script, if there is one, and collects what people say meanwhile, which is for the agent.
    async fn set_up(
        &self,
        (workspace, method, network): (&Workspace, &IsolationMethod, EgressPolicy),
        notices: &mpsc::Sender<Notice>,
        (orders, said): (&mut mpsc::UnboundedReceiver<Command>, &mut Vec<String>),
    ) -> Result<(), RunEnd> {
        let Self { context, job, secrets, folder, .. } = *self;
        let environment = job.task.context.environment.as_ref();
        let Some(setup) = environment.and_then(|environment| environment.setup.as_ref()) else {
            return Ok(());
        };
        let (denials, mut denied) = mpsc::unbounded_channel();
        let mut variables = variables_of(&job.task);
        variables.extend(secrets.setup_variables());
        let limits = context.limits_of(&job.task);
        let mask = secrets.mask();
        let run = SetupRun { context, folder, workspace, method, network, denials, limits, variables, mask };
        let ended = tokio::select! {
            ended = run.run(setup) => ended,
            () = collect_until_cancelled(orders, said) => Err(RunEnd::Completed { text: String::new() }),
        };
        while let Ok(denied) = denied.try_recv() {
            let _ = notices.send(Notice::log("warning", &denied.to_string())).await;
        }
        let took = ended?.as_millis();
        let _ = notices.send(Notice::log("info", &format!("The set-up took {took} ms."))).await;
        Ok(())
    }
}

async fn work_with_agent(
    run: AgentRun<'_>,
    orders: mpsc::UnboundedReceiver<Command>,
    slot: &mut SlotHolder,
) -> RunReport {
    let notices = run.notices;
    let _ = notices.send(Notice::phase("starting")).await;
    let report = Box::pin(run.drive(orders, slot)).await;
    let _ = notices.send(Notice::phase("delivering")).await;
    report
}

async fn warn_of_isolation(method: &IsolationMethod, notices: &mpsc::Sender<Notice>) {
    if method.isolation() != Isolation::Sandbox {
        let _ = notices.send(Notice::log("warning", NO_SANDBOX)).await;
    }
}

/// Collects what people say until the session is cancelled. Nothing was asked yet, so there are no answers.
async fn collect_until_cancelled(orders: &mut mpsc::UnboundedReceiver<Command>, said: &mut Vec<String>) {
    while let Some(order) = orders.recv().await {
        match order {
            Command::Say(text) => said.push(text),
            Command::Cancel | Command::Abandon => return,
            // No agent works yet that could be suspended.
            Command::Answer(_) | Command::RefuseQuestion { .. } | Command::Suspend | Command::Resume => {}
        }
    }
}
