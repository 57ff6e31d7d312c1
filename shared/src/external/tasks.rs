//! The tasks of external agents as the runtime sees them: written down, looked at, called off.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    agent::secret::open,
    auth::key::Pepper,
    cache::Cache,
    clock::{Clock, Time},
    db::Db,
    error::{Error, Result},
    files::Files,
    id::{AgentId, ExternalTaskId, MessageId, SessionId, TenantId},
    runtime::{Made, Said},
};

use super::{
    bell, lease,
    result::{Kept, Outcome},
    store::{self, NewKept, NewTask},
    task::{Message, Task},
};

pub use super::store::{Change, Seen, Standing};

/// Where tasks are kept. Cheap to clone.
#[derive(Clone)]
pub struct Tasks {
    pub db: Db,
    pub cache: Cache,
    pub files: Files,
    pub pepper: Pepper,
    pub clock: Clock,
    /// How often agents beat their hearts.
    pub beat: Duration,
}

/// A task, by whose it is.
pub type Named = (TenantId, ExternalTaskId);

impl Tasks {
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// When a lease ends that begins now.
    pub fn lease_end(&self) -> Time {
        self.now() + TimeDelta::from_std(lease(self.beat)).unwrap_or_default()
    }

    /// Writes a task down for an agent, once. One that pulls is woken, one that is pushed to has its lease from now on.
    pub async fn give(&self, (tenant_id, run): (TenantId, i32), agent: AgentId, push: bool, task: &Task) -> Result<()> {
        let pushed_until = push.then(|| self.lease_end());
        let new = NewTask { tenant_id, run, agent_id: agent, pushed_until, task };
        store::insert(&self.db, &new, self.now()).await?;
        if !push {
            bell::ring(&self.cache, agent).await;
        }
        Ok(())
    }

    pub async fn parent_summary(&self, tenant_id: TenantId, session: SessionId) -> Result<Option<String>> {
        store::parent_summary(&self.db, tenant_id, session).await
    }

    /// A task with what was reported after a position.
    pub async fn seen(&self, (tenant_id, task): Named, after: i64) -> Result<Option<Seen>> {
        store::seen(&self.db, tenant_id, task, after).await
    }

    pub async fn change(&self, (tenant_id, task): Named, change: Change) -> Result<()> {
        store::change(&self.db, tenant_id, task, change, self.now()).await
    }

    /// Keeps what was said; answers it with its number, `None` when there is no such task.
    pub async fn say(&self, task: Named, id: MessageId, said: &Said) -> Result<Option<Message>> {
        store::say(&self.db, task, id, said, self.now()).await
    }

    /// Keeps the result that a push was answered with.
    pub async fn finish(&self, task: Named, session: SessionId, agent: AgentId, outcome: Outcome) -> Result<()> {
        let (tenant_id, task) = task;
        let hash = outcome.hash()?;
        for artifact in outcome.artifacts {
            self.files.put(tenant_id, session, artifact.content).await?;
        }
        let (tokens, cost_micros) = (outcome.tokens, outcome.cost_micros);
        let new = NewKept { lease_token: None, hash: &hash, kept: &outcome.kept, tokens, cost_micros };
        let mut tx = self.db.tenant(tenant_id).await?;
        store::result(&mut tx, (agent, task), &new, self.now()).await?;
        tx.commit().await
    }

    /// The bytes of what a result brought.
    pub async fn artifacts(&self, tenant_id: TenantId, session: SessionId, kept: &Kept) -> Result<Vec<Made>> {
        let mut made = Vec::with_capacity(kept.artifacts.len());
        for one in &kept.artifacts {
            let content = self.files.get(tenant_id, session, &one.sha256).await?.to_vec();
            made.push(Made { path: one.path.clone(), mime_type: one.mime_type.clone(), content });
        }
        Ok(made)
    }

    /// What pushes to an agent are signed with.
    pub fn secret(&self, agent: AgentId, sealed: Option<&[u8]>) -> Result<String> {
        let sealed = sealed.ok_or_else(|| Error::internal("an agent that is pushed to has no signing secret"))?;
        String::from_utf8(open(&self.pepper, agent, sealed)?)
            .map_err(|_| Error::internal("a signing secret is no text"))
    }
}
