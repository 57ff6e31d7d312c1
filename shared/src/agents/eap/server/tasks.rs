//! Tasks of external agents, for the runtime: creating, reading and cancelling them.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    agents::{contract::UserMessage, registry::secret::open_secret},
    kernel::{
        clock::{Clock, Time},
        encryption::Pepper,
        error::{Error, Result},
        id::{AgentId, MessageId, RunnerId, SessionId, TenantId},
    },
    platform::{notification::RunnerSignal, object_store::Files, postgres::Db},
};

use super::{
    PATCH_PATH, artifacts, claims, lease_duration,
    result::{StoredResult, TaskOutcome},
    store::{self, AgentTask, NewStoredResult},
    task::TaskMessage,
    task_notifier::TaskNotifier,
};

pub use super::store::{NewTask, TaskChange, TaskKey, TaskSnapshot, TaskState};

/// The task store. Cheap to clone.
#[derive(Clone)]
pub struct Tasks {
    pub db: Db,
    pub notifier: TaskNotifier,
    pub files: Files,
    pub pepper: Pepper,
    pub clock: Clock,
    /// How often agents send a heartbeat.
    pub heartbeat_interval: Duration,
}

impl Tasks {
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// When a lease that begins now ends.
    pub fn lease_end(&self) -> Time {
        self.now() + TimeDelta::from_std(lease_duration(self.heartbeat_interval)).unwrap_or_default()
    }

    /// Creates a task for an agent, once. A pulling agent is notified. For an agent with an endpoint, the lease begins
    /// now.
    pub async fn create_task(&self, new: NewTask<'_>) -> Result<()> {
        store::insert_task(&self.db, &new, self.now()).await?;
        if new.pushed_until.is_none() {
            self.notifier.send_signal(RunnerSignal::TaskAvailable { agent_id: new.agent_id }).await;
        }
        Ok(())
    }

    pub async fn parent_summary(&self, tenant_id: TenantId, session: SessionId) -> Result<Option<String>> {
        store::parent_summary(&self.db, tenant_id, session).await
    }

    /// A task with the reports after a position.
    pub async fn find_task(&self, key: TaskKey, after: i64) -> Result<Option<TaskSnapshot>> {
        store::find_task(&self.db, key.tenant_id, key.task_id, after).await
    }

    pub async fn change_task(&self, key: TaskKey, change: TaskChange) -> Result<()> {
        let runner = store::change_task(&self.db, key, change, self.now()).await?;
        self.signal_runner(runner, key).await;
        Ok(())
    }

    /// Takes back a task that waits to be claimed, or claimed anew. False: it was claimed.
    pub async fn withdraw_task(&self, key: TaskKey) -> Result<bool> {
        claims::withdraw_task(&self.db, key, self.now()).await
    }

    /// Appends a message. Returns it with its number, or `None` when there is no such task.
    pub async fn append_message(
        &self,
        key: TaskKey,
        id: MessageId,
        message: &UserMessage,
    ) -> Result<Option<TaskMessage>> {
        let appended = store::append_message(&self.db, key, id, message, self.now()).await?;
        let Some((message, runner)) = appended else { return Ok(None) };
        self.signal_runner(runner, key).await;
        Ok(Some(message))
    }

    /// Signals the runner that works on a task, if one does.
    async fn signal_runner(&self, runner: Option<RunnerId>, TaskKey { task_id, .. }: TaskKey) {
        if let Some(runner_id) = runner {
            self.notifier.send_signal(RunnerSignal::TaskChanged { runner_id, task_id }).await;
        }
    }

    /// Records the result with which the agent answered a push.
    pub async fn record_push_result(
        &self,
        key: TaskKey,
        session: SessionId,
        agent: AgentId,
        mut outcome: TaskOutcome,
    ) -> Result<()> {
        let TaskKey { tenant_id, task_id } = key;
        artifacts::resolve_uploads(&self.files, (tenant_id, session), &mut outcome).await?;
        let hash = outcome.hash()?;
        artifacts::store_contents(&self.files, (tenant_id, session), &mut outcome).await?;
        let (tokens, cost_micros) = (outcome.tokens, outcome.cost_micros);
        let new = NewStoredResult { lease_token: None, hash: &hash, kept: &outcome.kept, tokens, cost_micros };
        let mut tx = self.db.tenant(tenant_id).await?;
        store::record_result(&mut tx, AgentTask { agent_id: agent, runner_id: None, task_id }, &new, self.now())
            .await?;
        tx.commit().await
    }

    /// The patch of a result, which is empty where it has none.
    pub async fn load_patch(&self, tenant_id: TenantId, session: SessionId, kept: &StoredResult) -> Result<String> {
        let Some(patch) = kept.artifacts.iter().find(|one| one.path == PATCH_PATH) else { return Ok(String::new()) };
        let content = self.files.get(tenant_id, session, &patch.sha256).await?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    }

    /// The secret that signs pushes to an agent.
    pub fn signing_secret(&self, agent: AgentId, sealed: Option<&[u8]>) -> Result<String> {
        let sealed = sealed.ok_or_else(|| Error::internal("an agent that is pushed to has no signing secret"))?;
        String::from_utf8(open_secret(&self.pepper, agent, sealed)?)
            .map_err(|_| Error::internal("a signing secret is no text"))
    }
}
