//! What every function is given: the shared store, the queue, the agents, and the settings. Cheap to clone.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::sync::broadcast;

use crate::{
    admissions::Admissions,
    agent::Agents,
    auth::{oidc::Oidc, service::Keys},
    cache::Cache,
    clock::Clock,
    db::Db,
    error::Result,
    external,
    files::Files,
    id::{SessionId, TenantId},
    job::Job,
    limits::{Limiter, RateLimits},
    live::{self, Push, bell, push},
    lock::Locks,
    outbound::{Allowed, Outbound, System},
    queue::Queue,
    session::progress::Pace,
    trainer::carried::Trainers,
    tuning,
    unit::{Unit, after_commit},
};

/// The parts of a running ioc.
#[derive(Clone)]
pub struct App(Arc<Whole>);

struct Whole {
    parts: Parts,
    admissions: Admissions,
    limiter: Limiter,
    outbound: OnceLock<Outbound>,
}

/// What [`App`] consists of.
pub struct Parts {
    pub clock: Clock,
    pub db: Db,
    pub cache: Cache,
    pub locks: Locks,
    pub queue: Queue,
    pub files: Files,
    pub keys: Keys,
    pub oidc: Oidc,
    pub agents: Agents,
    pub trainers: Trainers,
    pub settings: Settings,
    pub news: News,
    pub push: Push,
}

/// What can be set and is not a place of a service.
#[derive(Clone, Debug)]
pub struct Settings {
    pub pace: Pace,
    /// How long a step may be silent before another may take it over; renewed at a third.
    pub step_lease: Duration,
    /// How long a session may wait in the queue.
    pub queue_limit: Duration,
    /// How long an agent keeps the workspace of a session that is over.
    pub workspace_retention: Duration,
    /// Whether an event stream stays open; behind API Gateway it cannot.
    pub streams: bool,
    /// How many calls may come.
    pub rate: RateLimits,
    /// How long a request may take until its answer begins.
    pub request_time: Duration,
    /// How long the body of a request may take to come.
    pub body_time: Duration,
    /// The other origins from which pages may call the API.
    pub cors_origins: Arc<[String]>,
    /// What URLs of users may lead to besides the public internet.
    pub outbound: Allowed,
    /// How often agents beat their hearts.
    pub beat: Duration,
    /// How long the endpoint of an agent may take to answer a push.
    pub push_timeout: Duration,
    /// Where others reach us, such as `https://ioc.example.com`: what we give to agents that are to call back.
    pub public_url: Option<Arc<str>>,
    /// What becomes of connections to the live stream, and when.
    pub live: live::Pace,
    pub tuning: tuning::Settings,
    /// How long the health of a component must have stood before its next change is told.
    pub health_pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            step_lease: Duration::from_secs(30),
            queue_limit: Duration::from_hours(24),
            workspace_retention: Duration::from_hours(24),
            streams: true,
            rate: RateLimits::default(),
            request_time: Duration::from_secs(29),
            body_time: Duration::from_secs(15),
            cors_origins: Arc::default(),
            outbound: Allowed::default(),
            beat: external::BEAT,
            push_timeout: Duration::from_secs(10),
            public_url: None,
            live: live::Pace::default(),
            tuning: tuning::Settings::default(),
            health_pause: Duration::from_secs(30),
        }
    }
}

impl App {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Whole {
            parts,
            admissions: Admissions::default(),
            limiter: Limiter::default(),
            outbound: OnceLock::new(),
        }))
    }

    pub(crate) fn admissions(&self) -> &Admissions {
        &self.0.admissions
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// What calls the URLs that users give.
    pub fn outbound(&self) -> Result<Outbound> {
        if let Some(made) = self.0.outbound.get() {
            return Ok(made.clone());
        }
        let made = Outbound::new(self.settings.outbound.clone(), Arc::new(System))?;
        Ok(self.0.outbound.get_or_init(|| made).clone())
    }

    /// Rings for jobs. A bell that cannot be rung is only a delay: the rows say what is due, and the sweep rings again.
    pub async fn ring(&self, jobs: &[(Job, Duration)]) {
        if jobs.is_empty() {
            return;
        }
        if Unit::current().is_none() {
            return ring(self, jobs).await;
        }
        let (app, jobs) = (self.clone(), jobs.to_vec());
        after_commit(async move { ring(&app, &jobs).await }).await;
    }

    /// Tells listeners, and those who watch, that a session has new events.
    pub async fn tell(&self, tenant_id: TenantId, session_id: SessionId) {
        let app = self.clone();
        after_commit(Box::pin(async move {
            app.news.tell(tenant_id, session_id);
            push::ring(&app, bell::News { tenant_id, session_id: Some(session_id) }).await;
        }))
        .await;
    }

    /// Tells those who watch a tenant that it has new events beside those of its sessions.
    pub async fn tell_tenant(&self, tenant_id: TenantId) {
        let app = self.clone();
        after_commit(Box::pin(async move { push::ring(&app, bell::News { tenant_id, session_id: None }).await })).await;
    }
}

async fn ring(app: &App, jobs: &[(Job, Duration)]) {
    if let Err(error) = app.queue.send_all(jobs).await {
        tracing::warn!(?error, jobs = jobs.len(), "jobs could not be queued; the sweep will ring again");
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

/// Tells listeners in this process which sessions have new events. A hint: who misses it looks again after a second.
#[derive(Clone)]
pub struct News(broadcast::Sender<(TenantId, SessionId)>);

impl Default for News {
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

impl News {
    pub fn tell(&self, tenant_id: TenantId, session_id: SessionId) {
        // Nobody listens: nothing is lost, the events are in their table.
        let _ = self.0.send((tenant_id, session_id));
    }

    pub fn listen(&self) -> broadcast::Receiver<(TenantId, SessionId)> {
        self.0.subscribe()
    }
}
