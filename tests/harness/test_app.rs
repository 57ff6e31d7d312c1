//! A whole ioc on a database of its own: what most tests begin with.

use std::{sync::Arc, time::Duration};

use axum::Router;
use shared::training::trainers::Trainers;
use shared::{
    agents::{
        contract::AgentRuntime,
        eap::server::task_notifier::TaskNotifier,
        manual::Manual,
        registry::{self, Kind, PlatformAgent, Runtimes},
        scripted::ScriptedAgent,
    },
    app::{App, Settings, builder::Parts},
    events::stream::{ConnectionBackend, ConnectionHub},
    identity::{
        auth::{Role, SetupKey, create_setup_key, oidc::issuer::Issuer},
        tenants::{self, InitialTenant, TenantLimits},
    },
    kernel::{
        backoff::RetryPolicy,
        clock::Clock,
        encryption::Pepper,
        id::{KeyId, TenantId},
    },
    platform::{
        object_store::Files,
        postgres::{self, Db},
        queue::{Limits, MemoryQueue, Queue, job::QueueName},
        redis::cache::Cache,
    },
    sessions::policy::PollPolicy,
};
use tokio::task::JoinSet;

use crate::{caller::Caller, database::Database, leftovers::LeftoverCheck, streams::StreamServer};

/// The pepper of the keys of every test app.
pub const PEPPER: &str = "pepper of the tests";

/// The options of a test app.
pub struct Options {
    pub clock: Clock,
    pub settings: Settings,
    pub limits: TenantLimits,
    /// Sessions at once on the scripted agent.
    pub capacity: Option<i32>,
    pub redis_url: Option<String>,
    /// Other agents besides `scripted` and `manual`.
    pub agents: Vec<PlatformAgent>,
    pub queue: Option<Queue>,
    /// Whose tokens people may come with.
    pub issuers: Vec<Issuer>,
    /// Where the connections of the live stream are.
    pub push: ConnectionBackend,
    /// The trainers; by default the simulated one.
    pub trainers: Trainers,
    /// Where files lie, as the setting `FILES` says it.
    pub files: String,
    /// A store that was opened elsewhere, in place of that one.
    pub store: Option<Files>,
}

impl Default for Options {
    fn default() -> Self {
        let poll = PollPolicy {
            interval_min: Duration::from_millis(10),
            interval_max: Duration::from_millis(200),
            agent_offline: Duration::from_millis(1500),
        };
        let retry = RetryPolicy::new(Duration::from_millis(10), Duration::from_millis(50));
        let rate = shared::identity::rate_limits::RateLimits::unlimited();
        let tuning = crate::training::settings();
        let settings =
            Settings { poll, retry, rate, tuning, step_lease: Duration::from_secs(2), ..Settings::default() };
        Self {
            clock: Clock::System,
            settings,
            limits: TenantLimits::default(),
            capacity: None,
            redis_url: None,
            agents: Vec::new(),
            queue: None,
            issuers: Vec::new(),
            push: ConnectionBackend::InProcess(ConnectionHub::default()),
            trainers: Trainers::default(),
            files: "memory:".to_owned(),
            store: None,
        }
    }
}

/// One ioc with one tenant. Its workers run until it is dropped, unless it was made without.
pub struct TestApp {
    pub app: App,
    pub api: Router,
    pub tenant: Tenant,
    pub database: Arc<Database>,
    workers: JoinSet<()>,
    /// Serves event streams, as a host does.
    pub(crate) streams: StreamServer,
    leftovers: LeftoverCheck,
}

/// A tenant with a key of each role.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    keys: Vec<(Role, KeyId, String)>,
}

impl Tenant {
    pub fn key(&self, role: Role) -> &str {
        self.keys.iter().find(|(known, ..)| *known == role).map(|(.., text)| text.as_str()).expect("a key of each role")
    }

    pub fn key_id(&self, role: Role) -> KeyId {
        self.keys.iter().find(|(known, ..)| *known == role).map(|(_, id, _)| *id).expect("a key of each role")
    }
}

impl TestApp {
    /// A test app with running workers.
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let mut world = Self::idle(options).await;
        world.work();
        world
    }

    /// A test app whose jobs wait until [`TestApp::work`].
    pub async fn idle(options: Options) -> Self {
        Self::on(Arc::new(Database::new().await), options).await
    }

    /// A test app on an existing database, such as one whose process died.
    pub async fn on(database: Arc<Database>, options: Options) -> Self {
        crate::log();
        let (redis_url, limits) = (options.redis_url.clone().unwrap_or_else(crate::redis_url), options.limits);
        let leftovers = LeftoverCheck::of(&options);
        let app = app(&database.url, &redis_url, options);
        registry::register_platform_agents(&app).await.expect("agents are registered");
        let tenant = new_tenant(&app, limits).await;
        let (api, streams) = (functions::api(app.clone()), StreamServer::of(&app));
        Self { api, app, tenant, database, workers: JoinSet::new(), streams, leftovers }
    }

    /// Starts the workers.
    pub fn work(&mut self) {
        for queue_name in crate::leftovers::SERVED {
            for _ in 0..4 {
                let app = self.app.clone();
                self.workers.spawn(async move { work_off(&app, queue_name).await });
            }
        }
    }

    /// Ends the workers where they stand, as a crash would.
    pub async fn crash(&mut self) {
        self.may_leave_work("its workers crashed");
        self.workers.shutdown().await;
    }

    /// Leaves out the check at the end of the test for leases and due rows without a message.
    pub fn may_leave_work(&self, reason: &'static str) {
        self.leftovers.skip(reason);
    }

    /// Another tenant beside the first.
    pub async fn another_tenant(&self) -> Tenant {
        new_tenant(&self.app, TenantLimits::default()).await
    }

    /// A caller of the first tenant.
    pub fn caller(&self, role: Role) -> Caller {
        self.caller_of(&self.tenant, role)
    }

    pub fn caller_of(&self, tenant: &Tenant, role: Role) -> Caller {
        let headers = vec![
            ("authorization".to_owned(), format!("Bearer {}", tenant.key(role))),
            ("x-tenant-id".to_owned(), tenant.slug.clone()),
        ];
        Caller { api: self.api.clone(), headers }
    }

    /// A caller without any header.
    pub fn nobody(&self) -> Caller {
        Caller { api: self.api.clone(), headers: Vec::new() }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.workers.is_empty() {
            self.workers.abort_all();
            self.leftovers.assert_none(&self.app, &self.database);
        }
    }
}

/// Receives and settles the jobs of a queue, for ever.
pub async fn work_off(app: &App, queue_name: QueueName) {
    loop {
        let deliveries = app.queue.receive(queue_name, 10, Duration::from_secs(5)).await.unwrap_or_default();
        for delivery in deliveries {
            let settled =
                functions::host::settle_message(&app.queue, &delivery, None, |job| functions::jobs::run(app, job))
                    .await;
            if settled == functions::host::MessageDisposition::Delete {
                let _ = app.queue.delete(&delivery.receipt).await;
            }
        }
    }
}

fn platform_agent(name: &str, kind: Kind, capacity: Option<i32>, runtime: Arc<dyn AgentRuntime>) -> PlatformAgent {
    PlatformAgent { name: name.to_owned(), kind, capacity, runtime: Some(runtime) }
}

/// An app on given services, without its workers.
pub fn app(database_url: &str, redis_url: &str, options: Options) -> App {
    let cache = Cache::connect(redis_url).expect("a Redis URL");
    let clock = options.clock;
    let scripted = Arc::new(ScriptedAgent::new(clock.clone()));
    let mut agents = vec![
        platform_agent("scripted", Kind::Scripted, options.capacity, scripted.clone()),
        platform_agent("manual", Kind::Manual, None, Arc::new(Manual)),
    ];
    agents.extend(options.agents);
    let db = Db::new(&postgres::DbSettings { url: database_url.to_owned(), connections: 8, ca_file: None });
    let files = options.store.unwrap_or_else(|| Files::open_store(&options.files).expect("a place for files"));
    let db = db.expect("a database URL");
    let settings = options.settings;
    let queue = options.queue.unwrap_or_else(|| Queue::Memory(MemoryQueue::new(Limits::default())));
    let notifier = TaskNotifier { cache: cache.clone(), queue: queue.clone(), backend: options.push.clone() };
    let external = crate::eap_agent::runtime((&db, notifier, &files), &clock, &settings);
    let speaks_a2a = crate::a2a::runtime(&settings);
    let trainers = crate::training::trainers(options.trainers, (&db, &files), &clock);
    let parts = Parts {
        db,
        cache,
        queue,
        files,
        pepper: Pepper(PEPPER.as_bytes().to_vec()),
        environment: "test".to_owned(),
        issuers: options.issuers,
        runtimes: Runtimes::new(agents, Some("scripted".to_owned()))
            .with_kind(Kind::Scripted, scripted)
            .with_kind(Kind::Eap, Arc::new(external))
            .with_kind(Kind::A2a, speaks_a2a),
        trainers,
        settings,
        backend: options.push,
        clock,
    };
    parts.assemble().expect("the test app is configured")
}

async fn new_tenant(app: &App, limits: TenantLimits) -> Tenant {
    let slug = format!("t-{}", &TenantId::new().0.simple().to_string()[20..]);
    let new = InitialTenant { name: "A tenant".to_owned(), slug: slug.clone(), limits, training_consent: false };
    let id = tenants::create_for_setup(app, &new).await.expect("a tenant");
    let mut keys = Vec::new();
    for role in Role::ALL {
        let request = SetupKey { name: role.name(), role, expires_at: None };
        let (key, text) = create_setup_key(app, id, &request).await.expect("a key");
        keys.push((role, key, text));
    }
    Tenant { id, slug, keys }
}
