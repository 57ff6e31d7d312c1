//! Agents outside of the platform that speak the External Agent Protocol. A run is a task: written down, then pushed to the
//! agent's endpoint or left for it to claim. What the agent reports stands in the task's row, and is looked at there.

mod observe;
mod push;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{AgentRuntime, Assignment, Continuation, Observation, RunState, Said, Work, opencode::diff};
use crate::{
    error::{Code, Error},
    external::{
        result::{Ended, Kept, Outcome},
        task::{Context, Continued, Lease, Leased, Origin, Requirements, Task},
        task_id,
        tasks::{Change, Named, Seen, Standing, Tasks},
    },
    id::{ExternalTaskId, MessageId},
    outbound::Allowed,
    session::outcome::{Category, Failure},
};

use self::push::{Push, Pushed};

/// The artifact that holds the work as a patch.
const PATCH: &str = "changes.patch";

/// What is configured of it.
#[derive(Clone)]
pub struct Settings {
    pub tasks: Tasks,
    /// Where this API is reached, for agents that call back.
    pub public_url: String,
    /// What endpoints may lead to besides the public internet.
    pub outbound: Allowed,
    /// How long an endpoint may take to answer, whatever its task may take.
    pub push_timeout: Duration,
}

/// The runtime of external agents.
pub struct Eap {
    tasks: Tasks,
    public_url: String,
    push: Push,
}

/// What is remembered between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Memory {
    task_id: ExternalTaskId,
    /// The position of the last report that was told.
    told: i64,
}

impl Memory {
    fn read(state: &RunState) -> Result<Self, Failure> {
        serde_json::from_value(state.0.clone())
            .map_err(|error| Failure::new(Category::Internal, "STATE_UNREADABLE", error.to_string()))
    }

    fn state(self) -> RunState {
        RunState(json!(self))
    }
}

/// A fault on our side, as a run sees it.
#[expect(clippy::needless_pass_by_value, reason = "it stands behind map_err")]
fn ours(error: Error) -> Failure {
    tracing::warn!(?error, "the tasks of external agents could not be reached");
    match error.code() {
        Code::DependencyUnavailable => Failure::transient("TASKS_UNAVAILABLE", error.detail()),
        _ => Failure::transient("INTERNAL", "Something went wrong on our side."),
    }
}

impl Eap {
    pub fn new(settings: Settings) -> Self {
        let push = Push::new(settings.outbound, settings.tasks.clock.clone(), settings.push_timeout);
        Self { tasks: settings.tasks, public_url: settings.public_url, push }
    }

    async fn seen(&self, assignment: &Assignment, memory: Memory) -> Result<Option<Seen>, Failure> {
        self.tasks.seen((assignment.tenant_id, memory.task_id), memory.told).await.map_err(ours)
    }

    async fn change(&self, task: Named, change: Change) -> Result<(), Failure> {
        self.tasks.change(task, change).await.map_err(ours)
    }

    /// The task of this run, as its agent is told of it.
    async fn task(&self, assignment: &Assignment) -> Result<Task, Failure> {
        let (tenant_id, session_id) = (assignment.tenant_id, assignment.session_id);
        let task_id = task_id(session_id, assignment.run);
        let mut input_data = assignment.agent_config.clone();
        input_data.remove("agent");
        Ok(Task {
            task_id,
            session_id,
            task_type: assignment.session_type.clone(),
            context: Context {
                title: assignment.title.clone(),
                prompt: assignment.prompt.clone(),
                workspace: assignment.workspace.clone(),
                parent_summary: self.tasks.parent_summary(tenant_id, session_id).await.map_err(ours)?,
                continuation: self.continued(assignment).await?,
            },
            input_data,
            requirements: Requirements {
                model: assignment.model.clone(),
                cpu_limit: assignment.cpu_limit,
                memory_limit_mb: assignment.memory_limit_mb,
            },
            timeout_seconds: assignment.timeout_seconds,
            callback_url: format!("{}/api/v1/agents/external/{}/tasks/{task_id}", self.public_url, assignment.agent.id),
        })
    }

    async fn continued(&self, assignment: &Assignment) -> Result<Option<Continued>, Failure> {
        let known = |state: &RunState| Memory::read(state).ok();
        Ok(match &assignment.continuation {
            Continuation::Start => None,
            Continuation::Resume { state, .. } => {
                let Some(memory) = known(state) else { return Ok(None) };
                let before = self.seen(assignment, memory).await?;
                let work = match &before {
                    Some(seen) => self.work(assignment, &seen.standing).await?,
                    None => Work::default(),
                };
                let previous_task_id = Some(memory.task_id);
                Some(Continued { from: Origin::Pause, previous_task_id, patch: work.patch, summary: work.summary })
            }
            Continuation::Checkpoint { state, patch, summary, fork } => Some(Continued {
                from: Origin::Checkpoint,
                previous_task_id: state.as_ref().filter(|_| !fork).and_then(known).map(|memory| memory.task_id),
                patch: patch.clone(),
                summary: summary.clone(),
            }),
        })
    }

    /// The task that goes on where it was held for an answer, or that was done meanwhile.
    async fn still_held(&self, assignment: &Assignment) -> Result<Option<RunState>, Failure> {
        let Continuation::Resume { state, ask } = &assignment.continuation else { return Ok(None) };
        let Ok(memory) = Memory::read(state) else { return Ok(None) };
        let goes_on = self.seen(assignment, memory).await?.is_some_and(|seen| match seen.standing.status.as_str() {
            "waiting" | "leased" => !ask && !seen.standing.cancel,
            "done" => seen.standing.result.is_some_and(|kept| kept.status == Ended::Completed),
            _ => false,
        });
        Ok(goes_on.then(|| state.clone()))
    }

    /// Pushes a task unless the agent took it before.
    async fn push(&self, assignment: &Assignment, standing: &Standing) -> Result<(), Failure> {
        if standing.pushed || standing.status != "leased" {
            return Ok(());
        }
        let task = (assignment.tenant_id, standing.task.task_id);
        let expires_at = standing.lease_until.unwrap_or_else(|| self.tasks.lease_end());
        let leased = Leased { task: standing.task.clone(), lease: Lease { token: standing.lease_token, expires_at } };
        let secret = self.secret(assignment)?;
        match self.push.task(&assignment.agent, &secret, &leased).await? {
            Pushed::Accepted => self.change(task, Change::Pushed).await,
            Pushed::Done(result) => {
                let outcome = Outcome::parse(*result, task.1).map_err(|error| {
                    let named = error.fields().iter().map(|field| format!("{} {}", field.field, field.message));
                    push::garbage(&named.collect::<Vec<_>>().join("; "))
                })?;
                let (session, agent) = (assignment.session_id, assignment.agent.id);
                Box::pin(self.tasks.finish(task, session, agent, outcome)).await.map_err(ours)
            }
        }
    }

    fn secret(&self, assignment: &Assignment) -> Result<String, Failure> {
        let agent = &assignment.agent;
        self.tasks.secret(agent.id, agent.endpoint_secret.as_deref()).map_err(ours)
    }

    /// What a task came to so far.
    async fn work(&self, assignment: &Assignment, standing: &Standing) -> Result<Work, Failure> {
        let Some(kept) = &standing.result else {
            // Nothing is known beyond what it began with.
            let (patch, summary) = match &standing.task.context.continuation {
                Some(continued) => (continued.patch.clone(), continued.summary.clone()),
                None => Default::default(),
            };
            return Ok(Work { files: diff::files(&patch), patch, summary, artifacts: Vec::new() });
        };
        let made = self.tasks.artifacts(assignment.tenant_id, assignment.session_id, kept).await.map_err(ours)?;
        let (patches, artifacts): (Vec<_>, Vec<_>) = made.into_iter().partition(|one| one.path == PATCH);
        let patch = patches.into_iter().next().map(|one| String::from_utf8_lossy(&one.content).into_owned());
        let patch = patch.unwrap_or_default();
        Ok(Work { files: diff::files(&patch), patch, summary: summary(kept), artifacts })
    }
}

/// A few words of what came of it.
fn summary(kept: &Kept) -> String {
    let text = kept.output_data.as_ref().and_then(|data| data.get("text")).and_then(Value::as_str);
    text.or(kept.error_message.as_deref()).unwrap_or_default().chars().take(2000).collect()
}

#[async_trait]
impl AgentRuntime for Eap {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        if let Some(state) = self.still_held(assignment).await? {
            return Ok(state);
        }
        let memory = Memory { task_id: task_id(assignment.session_id, assignment.run), told: 0 };
        let before = self.seen(assignment, memory).await?;
        let standing = match before {
            Some(seen) => seen.standing,
            None => self.give(assignment, memory).await?,
        };
        if assignment.agent.endpoint_url.is_some() {
            Box::pin(self.push(assignment, &standing)).await?;
        }
        Ok(memory.state())
    }

    async fn observe(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        Box::pin(self.look(assignment, Memory::read(state)?)).await
    }

    async fn say(
        &self,
        assignment: &Assignment,
        state: &RunState,
        id: MessageId,
        said: &Said,
    ) -> Result<RunState, Failure> {
        let memory = Memory::read(state)?;
        let message = self.tasks.say((assignment.tenant_id, memory.task_id), id, said).await.map_err(ours)?;
        if let (Some(message), Some(_)) = (message, &assignment.agent.endpoint_url) {
            let secret = self.secret(assignment)?;
            Box::pin(self.push.message(&assignment.agent, &secret, memory.task_id, id, &message)).await?;
        }
        Ok(state.clone())
    }

    async fn abort(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        let memory = Memory::read(state)?;
        let Some(seen) = self.seen(assignment, memory).await? else { return Ok(()) };
        if !matches!(seen.standing.status.as_str(), "waiting" | "leased") {
            return Ok(());
        }
        self.change((assignment.tenant_id, memory.task_id), Change::Cancel).await?;
        if assignment.agent.endpoint_url.is_some() && seen.standing.pushed {
            let secret = self.secret(assignment)?;
            Box::pin(self.push.cancel(&assignment.agent, &secret, memory.task_id)).await?;
        }
        Ok(())
    }

    async fn collect(&self, assignment: &Assignment, state: &RunState) -> Result<Work, Failure> {
        match self.seen(assignment, Memory::read(state)?).await? {
            Some(seen) => self.work(assignment, &seen.standing).await,
            None => Ok(Work::default()),
        }
    }

    async fn release(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        let memory = Memory::read(state)?;
        self.change((assignment.tenant_id, memory.task_id), Change::Close).await
    }
}

impl Eap {
    async fn give(&self, assignment: &Assignment, memory: Memory) -> Result<Standing, Failure> {
        let task = self.task(assignment).await?;
        let push = assignment.agent.endpoint_url.is_some();
        let named = (assignment.tenant_id, assignment.run);
        self.tasks.give(named, assignment.agent.id, push, &task).await.map_err(ours)?;
        let seen = self.seen(assignment, memory).await?;
        seen.map(|seen| seen.standing).ok_or_else(|| Failure::transient("TASK_GONE", "The task was not kept."))
    }
}
