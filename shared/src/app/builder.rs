//! Builds the product from its configuration. Nothing is connected before it is needed.

use std::sync::{Arc, OnceLock};

use crate::{
    agents::{
        eap::server::{task_notifier::TaskNotifier, task_waiters::TaskWaiters},
        registry::{Kind, PlatformAgent, Runtimes},
        services::{AgentParts, AgentServices},
    },
    app::{App, Settings, config::Config, runtimes::RuntimeFactory, stores::Stores, trainers::TrainerFactory},
    engine::services::{Engine, EngineParts},
    events::stream::{
        ConnectionBackend, ConnectionHub,
        connection_backend::StreamNotifier,
        cursor::CursorCipher,
        gateway::ApiGatewayClient,
        services::{StreamParts, StreamServices},
    },
    identity::{
        auth::{
            credential_cache::CredentialCache,
            oidc::{OidcIssuers, issuer::Issuer},
        },
        rate_limits::RateLimiter,
        services::{IdentityParts, IdentityServices},
    },
    kernel::{clock::Clock, encryption::Pepper, error::Result},
    platform::{
        context::{Context, ContextParts},
        object_store::Files,
        postgres::Db,
        queue::{Limits, MemoryQueue, Queue, Sqs},
        redis::{cache::Cache, lock::Locks},
    },
    sessions::services::{SessionServices, SessionSettings},
    training::{
        services::{TrainingParts, TrainingServices},
        trainers::Trainers,
    },
};

/// The parts that an [`App`] is assembled from.
pub struct Parts {
    pub clock: Clock,
    pub db: Db,
    pub cache: Cache,
    pub queue: Queue,
    pub files: Files,
    pub pepper: Pepper,
    pub environment: String,
    pub issuers: Vec<Issuer>,
    pub runtimes: Runtimes,
    pub trainers: Trainers,
    pub backend: ConnectionBackend,
    pub settings: Settings,
}

impl Parts {
    /// Assembles the handles of each room, from the platform up.
    pub fn assemble(self) -> Result<App> {
        let settings = self.settings;
        let cursors = CursorCipher::new(&self.pepper)?;
        let notifier = StreamNotifier { backend: self.backend.clone() };
        let task_notifier =
            TaskNotifier { cache: self.cache.clone(), queue: self.queue.clone(), backend: self.backend.clone() };
        let context = Context::new(ContextParts {
            clock: self.clock,
            db: self.db,
            locks: Locks::new(self.cache.clone()),
            cache: self.cache,
            queue: self.queue,
            files: self.files,
            pepper: self.pepper,
            environment: self.environment,
            notifier: Arc::new(notifier),
            outbound_allowed: settings.outbound.clone(),
            step_lease: settings.step_lease,
            public_url: settings.public_url.clone(),
            outbound: OnceLock::new(),
        });
        let identity = IdentityServices::new(IdentityParts {
            context,
            credentials: CredentialCache::default(),
            oidc: OidcIssuers::new(self.issuers),
            limiter: RateLimiter::default(),
            rate_limits: settings.rate,
            quotas: settings.quotas,
        });
        let (backend, stream_timings, stream_limits) = (self.backend, settings.live, settings.stream_limits);
        let stream = StreamServices::new(StreamParts { identity, backend, stream_timings, stream_limits, cursors });
        let (runtimes, heartbeat_interval) = (self.runtimes, settings.heartbeat_interval);
        let task_waiters = TaskWaiters::default();
        let agents =
            AgentServices::new(AgentParts { stream, runtimes, heartbeat_interval, task_notifier, task_waiters });
        let sessions = SessionServices::new(agents, session_settings(&settings));
        let engine = Engine::new(EngineParts::new(sessions));
        let (trainers, training_settings) = (self.trainers, settings.tuning.clone());
        Ok(App::new(TrainingServices::new(TrainingParts { engine, trainers, training_settings }), settings))
    }
}

fn session_settings(settings: &Settings) -> SessionSettings {
    SessionSettings {
        poll: settings.poll,
        retry: settings.retry,
        offer_timeout: settings.offer_timeout,
        queue_timeout: settings.queue_limit,
        workspace_retention: settings.workspace_retention,
        usage_bounds: settings.usage_bounds,
        max_events: settings.max_events,
    }
}

impl Config {
    /// Builds the product with the runtimes and trainers that this process links. Nothing is connected yet.
    pub fn build(&self, clock: Clock, runtimes: RuntimeFactory, trainers: TrainerFactory) -> Result<App> {
        let (db, cache) = (Db::new(&self.database)?, Cache::connect(&self.redis_url)?);
        let files = Files::open_store(&self.files)?;
        let queue = match &self.sqs {
            Some(settings) => Queue::Sqs(Sqs::new(settings.clone())),
            None => Queue::Memory(MemoryQueue::new(Limits::default())),
        };
        let backend = match &self.live {
            Some(settings) => ConnectionBackend::ApiGateway(ApiGatewayClient::new(settings.clone())),
            None => ConnectionBackend::InProcess(ConnectionHub::default()),
        };
        let notifier = TaskNotifier { cache: cache.clone(), queue: queue.clone(), backend: backend.clone() };
        let stores = Stores { db: &db, notifier: &notifier, files: &files, clock: &clock };
        let (runtimes, trainers) = (self.build_runtimes(runtimes, &stores), trainers(self, &stores)?);
        let parts = Parts {
            queue,
            backend,
            pepper: self.pepper.clone(),
            environment: self.environment.clone(),
            issuers: self.issuers.clone(),
            settings: self.settings.clone(),
            runtimes,
            trainers,
            db,
            cache,
            files,
            clock,
        };
        parts.assemble()
    }

    /// The runtimes of the platform's own agents, and one per protocol for the agents of tenants.
    fn build_runtimes(&self, factory: RuntimeFactory, stores: &Stores<'_>) -> Runtimes {
        let kinds = [Kind::Scripted, Kind::Manual].into_iter().filter(|kind| self.scripted || *kind != Kind::Scripted);
        let agents = kinds.map(|kind| {
            let (name, runtime) = (kind.name().to_owned(), factory(self, kind, stores));
            PlatformAgent { name, kind, capacity: None, runtime }
        });
        let mut runtimes = Runtimes::new(agents.collect(), self.default_agent.clone());
        for kind in [Kind::Eap, Kind::A2a] {
            if let Some(runtime) = factory(self, kind, stores) {
                runtimes = runtimes.with_kind(kind, runtime);
            }
        }
        runtimes
    }
}
