//! The runtime of external agents. A run is a task: stored, then pushed to the endpoint of the agent or claimed by it.
//! The reports of the agent are stored with the task and read from there.

mod observe;
mod push;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    agents::{
        contract::{
            AgentRuntime, Assignment, Continuation, FileContent, Observation, OutputFile, RunOutput, RunState,
            UserMessage, diff,
        },
        eap::server::{
            PATCH_PATH,
            result::{ResultStatus, StoredResult, TaskOutcome},
            task::{ContinuationPoint, ContinuedFrom, Lease, LeasedTask, Task, TaskContext, TaskRequirements},
            task_id,
            tasks::{NewTask, TaskChange, TaskKey, TaskSnapshot, TaskState, Tasks},
        },
        registry::AgentEndpoint,
    },
    kernel::{
        error::{Code, Error},
        failure::{AGENT_LOST, Category, Failure},
        id::{ExternalTaskId, MessageId},
    },
    platform::http_client::AllowedDestinations,
};

use self::push::{Push, PushResponse};

/// The configuration of the runtime.
#[derive(Clone)]
pub struct EapSettings {
    pub tasks: Tasks,
    /// The public URL of this API, for callbacks.
    pub public_url: String,
    /// Addresses that endpoints may use besides the public internet.
    pub outbound: AllowedDestinations,
    /// The timeout of one push.
    pub push_timeout: Duration,
}

/// The runtime of external agents.
pub struct Eap {
    tasks: Tasks,
    public_url: String,
    push: Push,
}

/// The state that is stored between two observations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct TaskCursor {
    task_id: ExternalTaskId,
    /// The position of the last report that was read.
    last_position: i64,
}

impl TaskCursor {
    fn task_key(self, assignment: &Assignment) -> TaskKey {
        TaskKey { tenant_id: assignment.tenant_id, task_id: self.task_id }
    }

    fn decode(state: &RunState) -> Result<Self, Failure> {
        serde_json::from_value(state.0.clone())
            .map_err(|error| Failure::new(Category::Internal, "STATE_UNREADABLE", error.to_string()))
    }

    fn encode(self) -> RunState {
        RunState(json!(self))
    }
}

/// Converts an error of ours to a failure of the run.
#[expect(clippy::needless_pass_by_value, reason = "it stands behind map_err")]
fn internal_failure(error: Error) -> Failure {
    tracing::warn!(?error, "the task store is unavailable");
    match error.code() {
        Code::DependencyUnavailable => Failure::transient("TASKS_UNAVAILABLE", error.detail()),
        _ => Failure::transient("INTERNAL", "Something went wrong on our side."),
    }
}

impl Eap {
    pub fn new(settings: EapSettings) -> Self {
        let push = Push::new(settings.outbound, settings.tasks.clock.clone(), settings.push_timeout);
        Self { tasks: settings.tasks, public_url: settings.public_url, push }
    }

    async fn find_task(&self, assignment: &Assignment, cursor: TaskCursor) -> Result<Option<TaskSnapshot>, Failure> {
        self.tasks.find_task(cursor.task_key(assignment), cursor.last_position).await.map_err(internal_failure)
    }

    async fn change_task(&self, task: TaskKey, change: TaskChange) -> Result<(), Failure> {
        self.tasks.change_task(task, change).await.map_err(internal_failure)
    }

    /// Builds the task of this run.
    async fn build_task(&self, assignment: &Assignment) -> Result<Task, Failure> {
        let (tenant_id, session_id) = (assignment.tenant_id, assignment.session_id);
        let task_id = task_id(session_id, assignment.run);
        let mut input_data = assignment.agent_config.clone();
        input_data.remove("agent");
        if let Some(environment) = &assignment.environment {
            environment.add_defaults(&mut input_data);
        }
        Ok(Task {
            task_id,
            session_id,
            task_type: assignment.session_type.clone(),
            context: TaskContext {
                title: assignment.title.clone(),
                prompt: assignment.prompt.clone(),
                workspace: assignment.workspace.clone(),
                environment: assignment.environment.clone(),
                parent_summary: self.tasks.parent_summary(tenant_id, session_id).await.map_err(internal_failure)?,
                continuation: self.find_continuation(assignment).await?,
            },
            input_data,
            requirements: TaskRequirements {
                model: assignment.model.clone(),
                cpu_limit: assignment.cpu_limit,
                memory_limit_mb: assignment.memory_limit_mb,
            },
            timeout_seconds: assignment.timeout_seconds,
            callback_url: format!("{}/api/v1/agents/external/{}/tasks/{task_id}", self.public_url, assignment.agent.id),
        })
    }

    async fn find_continuation(&self, assignment: &Assignment) -> Result<Option<ContinuationPoint>, Failure> {
        let known = |state: &RunState| TaskCursor::decode(state).ok();
        Ok(match &assignment.continuation {
            Continuation::Start => None,
            Continuation::Resume { state, .. } => {
                let Some(cursor) = known(state) else { return Ok(None) };
                let before = self.find_task(assignment, cursor).await?;
                let work = match &before {
                    Some(snapshot) => self.read_output(assignment, &snapshot.state).await?,
                    None => RunOutput::default(),
                };
                let previous_task_id = Some(cursor.task_id);
                Some(ContinuationPoint {
                    from: ContinuedFrom::Pause,
                    previous_task_id,
                    patch: work.patch,
                    summary: work.summary,
                })
            }
            Continuation::Checkpoint { state, patch, summary, fork } => Some(ContinuationPoint {
                from: ContinuedFrom::Checkpoint,
                previous_task_id: state.as_ref().filter(|_| !fork).and_then(known).map(|cursor| cursor.task_id),
                patch: patch.clone(),
                summary: summary.clone(),
            }),
        })
    }

    /// The state of a paused task that continues, or that completed meanwhile.
    async fn resumable_state(&self, assignment: &Assignment) -> Result<Option<RunState>, Failure> {
        let Continuation::Resume { state, ask } = &assignment.continuation else { return Ok(None) };
        let Ok(cursor) = TaskCursor::decode(state) else { return Ok(None) };
        let is_resumable =
            self.find_task(assignment, cursor).await?.is_some_and(|snapshot| match snapshot.state.status.as_str() {
                "waiting" | "leased" => !ask && !snapshot.state.cancel,
                // What a runner delivers of a cancelled task is as far as it came.
                "done" if snapshot.state.is_of_runner && snapshot.state.cancel => false,
                "done" => snapshot.state.result.is_some_and(|kept| kept.status == ResultStatus::Completed),
                _ => false,
            });
        Ok(is_resumable.then(|| state.clone()))
    }

    /// Pushes a task, unless the agent accepted it before.
    async fn push_task(&self, assignment: &Assignment, task_state: &TaskState) -> Result<(), Failure> {
        if task_state.pushed || task_state.status != "leased" {
            return Ok(());
        }
        let task = TaskKey { tenant_id: assignment.tenant_id, task_id: task_state.task.task_id };
        let expires_at = task_state.lease_until.unwrap_or_else(|| self.tasks.lease_end());
        let leased =
            LeasedTask { task: task_state.task.clone(), lease: Lease { token: task_state.lease_token, expires_at } };
        let secret = self.signing_secret(assignment)?;
        match self.push.push_task(&assignment.agent, &secret, &leased).await? {
            PushResponse::Accepted => self.change_task(task, TaskChange::Pushed).await,
            PushResponse::Done(result) => {
                let outcome = TaskOutcome::parse(*result, task.task_id).map_err(refused_result)?;
                let (session, agent) = (assignment.session_id, assignment.agent.id);
                Box::pin(self.tasks.record_push_result(task, session, agent, outcome)).await.map_err(refused_result)
            }
        }
    }

    fn signing_secret(&self, assignment: &Assignment) -> Result<String, Failure> {
        let agent = &assignment.agent;
        self.tasks.signing_secret(agent.id, agent.endpoint_secret.as_deref()).map_err(internal_failure)
    }

    /// The output of a task so far.
    async fn read_output(&self, assignment: &Assignment, task_state: &TaskState) -> Result<RunOutput, Failure> {
        let Some(kept) = &task_state.result else {
            // Without a result, the output is what the task started with.
            let (patch, summary) = match &task_state.task.context.continuation {
                Some(continued) => (continued.patch.clone(), continued.summary.clone()),
                None => Default::default(),
            };
            return Ok(RunOutput { files: diff::read_changes(&patch), patch, summary, artifacts: Vec::new() });
        };
        let (tenant_id, session_id) = (assignment.tenant_id, assignment.session_id);
        let patch = self.tasks.load_patch(tenant_id, session_id, kept).await.map_err(internal_failure)?;
        // Their bytes are stored already, and are not read for it.
        let artifacts = kept.artifacts.iter().filter(|one| one.path != PATCH_PATH).map(|one| OutputFile {
            path: one.path.clone(),
            mime_type: one.mime_type.clone(),
            content: FileContent::Stored { size: one.size, sha256: one.sha256.clone() },
        });
        let artifacts = artifacts.collect();
        Ok(RunOutput { files: diff::read_changes(&patch), patch, summary: result_summary(kept), artifacts })
    }
}

/// A result in the answer to a push that was not stored: by its fault, or by ours.
fn refused_result(error: Error) -> Failure {
    let named = error.fields().iter().map(|field| format!("{} {}", field.field, field.message));
    let named = named.collect::<Vec<_>>().join("; ");
    if named.is_empty() { internal_failure(error) } else { push::malformed_response(&named) }
}

/// A short summary of the result.
fn result_summary(kept: &StoredResult) -> String {
    let text = kept.output_data.as_ref().and_then(|data| data.get("text")).and_then(Value::as_str);
    text.or(kept.error_message.as_deref()).unwrap_or_default().chars().take(2000).collect()
}

#[async_trait]
impl AgentRuntime for Eap {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        if let Some(state) = self.resumable_state(assignment).await? {
            return Ok(state);
        }
        let cursor = TaskCursor { task_id: task_id(assignment.session_id, assignment.run), last_position: 0 };
        let before = self.find_task(assignment, cursor).await?;
        let task_state = match before {
            Some(snapshot) => snapshot.state,
            None => self.create_task(assignment, cursor).await?,
        };
        if task_state.status == "lost" {
            return Err(Failure::transient(AGENT_LOST, "The agent was silent for too long, so its task was revoked."));
        }
        if assignment.agent.endpoint_url.is_some() {
            Box::pin(self.push_task(assignment, &task_state)).await?;
        }
        Ok(cursor.encode())
    }

    async fn awaits_earlier_work(&self, assignment: &Assignment) -> Result<bool, Failure> {
        let Continuation::Resume { state, .. } = &assignment.continuation else { return Ok(false) };
        let Ok(cursor) = TaskCursor::decode(state) else { return Ok(false) };
        let before = self.find_task(assignment, cursor).await?;
        Ok(before
            .is_some_and(|TaskSnapshot { state, .. }| state.status == "leased" && state.cancel && state.is_of_runner))
    }

    fn awaits_claim(&self, assignment: &Assignment) -> bool {
        assignment.agent.endpoint_url.is_none()
    }

    async fn withdraw(&self, assignment: &Assignment, state: &RunState) -> Result<bool, Failure> {
        let key = TaskCursor::decode(state)?.task_key(assignment);
        self.tasks.withdraw_task(key).await.map_err(internal_failure)
    }

    async fn observe(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        Box::pin(self.observe_task(assignment, TaskCursor::decode(state)?)).await
    }

    async fn send_message(
        &self,
        assignment: &Assignment,
        state: &RunState,
        id: MessageId,
        message: &UserMessage,
    ) -> Result<RunState, Failure> {
        let cursor = TaskCursor::decode(state)?;
        let stored =
            self.tasks.append_message(cursor.task_key(assignment), id, message).await.map_err(internal_failure)?;
        if let (Some(stored), Some(_)) = (stored, &assignment.agent.endpoint_url) {
            let secret = self.signing_secret(assignment)?;
            let pushed = self.push.push_message(&assignment.agent, &secret, cursor.task_id, id, &stored);
            // The answer to its next report has the message as well, and the run does not depend on this call.
            if let Err(failure) = Box::pin(pushed).await {
                tracing::warn!(failure.message, session.id = %assignment.session_id, "an agent did not take a message");
            }
        }
        Ok(state.clone())
    }

    async fn abort(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        let cursor = TaskCursor::decode(state)?;
        let Some(snapshot) = self.find_task(assignment, cursor).await? else { return Ok(()) };
        if !matches!(snapshot.state.status.as_str(), "waiting" | "leased") {
            return Ok(());
        }
        self.change_task(cursor.task_key(assignment), TaskChange::Cancel).await?;
        if assignment.agent.endpoint_url.is_some() && snapshot.state.pushed {
            let secret = self.signing_secret(assignment)?;
            Box::pin(self.push.push_cancel(&assignment.agent, &secret, cursor.task_id)).await?;
        }
        Ok(())
    }

    async fn collect_output(&self, assignment: &Assignment, state: &RunState) -> Result<RunOutput, Failure> {
        match self.find_task(assignment, TaskCursor::decode(state)?).await? {
            Some(snapshot) => self.read_output(assignment, &snapshot.state).await,
            None => Ok(RunOutput::default()),
        }
    }

    async fn probe(&self, agent: &AgentEndpoint) -> Result<(), Failure> {
        // The heartbeat of a pulling agent says whether it works.
        if agent.endpoint_url.is_none() {
            return Ok(());
        }
        let secret = self.tasks.signing_secret(agent.id, agent.endpoint_secret.as_deref()).map_err(internal_failure)?;
        Box::pin(self.push.push_ping(agent, &secret)).await
    }

    async fn release_workspace(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        let cursor = TaskCursor::decode(state)?;
        self.change_task(cursor.task_key(assignment), TaskChange::Close).await
    }
}

impl Eap {
    async fn create_task(&self, assignment: &Assignment, cursor: TaskCursor) -> Result<TaskState, Failure> {
        let task = self.build_task(assignment).await?;
        let new = NewTask {
            tenant_id: assignment.tenant_id,
            run: assignment.run,
            agent_id: assignment.agent.id,
            pushed_until: assignment.agent.endpoint_url.is_some().then(|| self.tasks.lease_end()),
            task: &task,
        };
        self.tasks.create_task(new).await.map_err(internal_failure)?;
        let snapshot = self.find_task(assignment, cursor).await?;
        snapshot.map(|snapshot| snapshot.state).ok_or_else(|| Failure::transient("TASK_GONE", "The task was not kept."))
    }
}
