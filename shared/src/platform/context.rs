//! The handles that every use case needs: the store, the queue, the clock and the secrets. Cheap to clone.
//!
//! Each room above adds its own handles and dereferences to the room below, so a function states by its parameter how
//! much of the product it can reach.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::future::BoxFuture;

use crate::{
    kernel::{
        clock::Clock,
        encryption::Pepper,
        error::Result,
        id::{SessionId, TenantId},
    },
    platform::{
        http_client::{AllowedDestinations, Outbound, System},
        notification::TenantNotification,
        object_store::Files,
        postgres::{
            Db,
            unit_of_work::{UnitOfWork, after_commit},
        },
        queue::{Queue, job::Job},
        redis::{cache::Cache, lock::Locks},
    },
};

/// Wakes the subscribers of a tenant. A lost notification only delays them: they also poll.
pub trait Notifier: Send + Sync {
    fn notify<'a>(&'a self, context: &'a Context, notification: TenantNotification) -> BoxFuture<'a, ()>;
}

/// The handles of the platform. Clones share them.
#[derive(Clone)]
pub struct Context(Arc<ContextParts>);

/// The fields of a [`Context`].
pub struct ContextParts {
    pub clock: Clock,
    pub db: Db,
    pub cache: Cache,
    pub locks: Locks,
    pub queue: Queue,
    pub files: Files,
    /// The key with which secrets are hashed and sealed.
    pub pepper: Pepper,
    /// The environment that issued keys name, such as `prod` or `local`.
    pub environment: String,
    pub notifier: Arc<dyn Notifier>,
    /// The addresses that URLs of users may reach besides the public internet.
    pub outbound_allowed: AllowedDestinations,
    /// How long a step may be silent before another worker may take it over. It is renewed at a third.
    pub step_lease: Duration,
    /// The URL under which others reach this product, such as `https://ioc.example.com`. Agents call back there.
    pub public_url: Option<Arc<str>>,
    /// Made at the first use.
    pub outbound: OnceLock<Outbound>,
}

impl Context {
    pub fn new(parts: ContextParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The HTTP client for URLs that users give. It refuses addresses of private networks.
    pub fn outbound(&self) -> Result<Outbound> {
        if let Some(client) = self.outbound.get() {
            return Ok(client.clone());
        }
        let client = Outbound::new(self.outbound_allowed.clone(), Arc::new(System))?;
        Ok(self.outbound.get_or_init(|| client).clone())
    }

    /// Enqueues jobs, in a unit of work after its commit. A failure is only a delay: the rows say what is due, and the
    /// reconciler enqueues it again.
    pub async fn enqueue(&self, jobs: &[(Job, Duration)]) {
        if jobs.is_empty() {
            return;
        }
        if UnitOfWork::current_unit().is_none() {
            return send_jobs(self, jobs).await;
        }
        let (context, jobs) = (self.clone(), jobs.to_vec());
        after_commit(async move { send_jobs(&context, &jobs).await }).await;
    }

    /// Notifies the subscribers of a session that it has new events, in a unit of work after its commit.
    pub async fn notify_session(&self, tenant_id: TenantId, session_id: SessionId) {
        self.deliver_notification(TenantNotification { tenant_id, session_id: Some(session_id) }).await;
    }

    /// Notifies the subscribers of a tenant that it has new events beside those of its sessions.
    pub async fn notify_tenant(&self, tenant_id: TenantId) {
        self.deliver_notification(TenantNotification { tenant_id, session_id: None }).await;
    }

    async fn deliver_notification(&self, notification: TenantNotification) {
        let context = self.clone();
        after_commit(Box::pin(async move { context.notifier.notify(&context, notification).await })).await;
    }
}

async fn send_jobs(context: &Context, jobs: &[(Job, Duration)]) {
    if let Err(error) = context.queue.send_all(jobs).await {
        tracing::warn!(?error, jobs = jobs.len(), "jobs could not be enqueued; the reconciler will enqueue them again");
    }
}

impl Deref for Context {
    type Target = ContextParts;

    fn deref(&self) -> &ContextParts {
        &self.0
    }
}
