//! A whole ioc on a database of its own: what most tests begin with.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use serde_json::Value;
use shared::{
    agent::{self, Agents, Kind, PlatformAgent},
    app::{App, News, Parts, Settings},
    auth::{
        Role,
        key::Pepper,
        oidc::{Oidc, settings::Issuer},
        service::{KeyRequest, Keys, issue},
    },
    cache::Cache,
    clock::Clock,
    db::{self, Db},
    files::Files,
    id::{KeyId, TenantId},
    job::Lane,
    live::{Hub, Push},
    lock::Locks,
    queue::{Limits, Memory, Queue},
    runtime::{AgentRuntime, manual::Manual, scripted::Scripted},
    session::progress::Pace,
    tenant::{self, Limits as TenantLimits, NewTenant},
    trainer::carried::Trainers,
};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::database::Database;

/// What the keys of every world are hashed with.
pub const PEPPER: &str = "pepper of the tests";

/// What a world may be made of.
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
    /// Where sessions work on the OpenCode servers of tenants.
    pub workspaces: String,
    /// Whose tokens people may come with.
    pub issuers: Vec<Issuer>,
    /// Where the connections of the live stream are.
    pub push: Push,
    /// Who trains; the simulated trainer where nobody is named.
    pub trainers: Trainers,
    /// Where files lie, as the setting `FILES` says it.
    pub files: String,
    /// A store that was opened elsewhere, in place of that one.
    pub store: Option<Files>,
}

impl Default for Options {
    fn default() -> Self {
        let pace = Pace {
            shortest: Duration::from_millis(10),
            longest: Duration::from_millis(200),
            agent_offline: Duration::from_millis(1500),
            retry_first: Duration::from_millis(10),
            retry_longest: Duration::from_millis(50),
        };
        let rate = shared::limits::RateLimits::unlimited();
        let tuning = crate::tuning::settings();
        let settings = Settings { pace, rate, tuning, step_lease: Duration::from_secs(2), ..Settings::default() };
        Self {
            clock: Clock::System,
            settings,
            limits: TenantLimits::default(),
            capacity: None,
            redis_url: None,
            agents: Vec::new(),
            queue: None,
            workspaces: "/nowhere".to_owned(),
            issuers: Vec::new(),
            push: Push::Local(Hub::default()),
            trainers: Trainers::default(),
            files: "memory:".to_owned(),
            store: None,
        }
    }
}

/// One ioc with one tenant. Its workers run until it is dropped, unless it was made without.
pub struct World {
    pub app: App,
    pub api: Router,
    pub tenant: Tenant,
    pub database: Arc<Database>,
    workers: JoinSet<()>,
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

impl World {
    /// A world whose workers run.
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let mut world = Self::idle(options).await;
        world.work();
        world
    }

    /// A world whose jobs stay where they are until [`World::work`].
    pub async fn idle(options: Options) -> Self {
        Self::on(Arc::new(Database::new().await), options).await
    }

    /// A world on a database that exists, such as one whose process died.
    pub async fn on(database: Arc<Database>, options: Options) -> Self {
        crate::log();
        let (redis_url, limits) = (options.redis_url.clone().unwrap_or_else(crate::redis_url), options.limits);
        let app = app(&database.url, &redis_url, options);
        agent::register(&app).await.expect("agents are registered");
        let tenant = new_tenant(&app, limits).await;
        Self { api: functions::api(app.clone()), app, tenant, database, workers: JoinSet::new() }
    }

    /// Starts the workers.
    pub fn work(&mut self) {
        for lane in [Lane::Dispatch, Lane::Observe, Lane::Train, Lane::Poll] {
            for _ in 0..4 {
                let app = self.app.clone();
                self.workers.spawn(async move { work_off(&app, lane).await });
            }
        }
    }

    /// Ends the workers where they stand, as a crash would.
    pub async fn crash(&mut self) {
        self.workers.shutdown().await;
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

/// Takes and settles the jobs of a lane, for ever.
pub async fn work_off(app: &App, lane: Lane) {
    loop {
        let deliveries = app.queue.receive(lane, 10, Duration::from_secs(5)).await.unwrap_or_default();
        for delivery in deliveries {
            let settled =
                functions::host::settle(&app.queue, &delivery, None, |job| functions::work::run(app, job)).await;
            if settled == functions::host::Settled::Finished {
                let _ = app.queue.delete(&delivery.receipt).await;
            }
        }
    }
}

/// An app on given services, without its workers.
pub fn app(database_url: &str, redis_url: &str, options: Options) -> App {
    let cache = Cache::connect(redis_url).expect("a Redis URL");
    let clock = options.clock;
    let agent = |name: &str, kind, capacity, runtime: Arc<dyn AgentRuntime>| PlatformAgent {
        name: name.to_owned(),
        kind,
        capacity,
        runtime: Some(runtime),
    };
    let scripted = Arc::new(Scripted::new(clock.clone()));
    let mut agents = vec![
        agent("scripted", Kind::Scripted, options.capacity, scripted.clone()),
        agent("manual", Kind::Manual, None, Arc::new(Manual)),
    ];
    agents.extend(options.agents);
    let db = Db::new(&db::Settings { url: database_url.to_owned(), connections: 8, ca_file: None });
    let files = options.store.unwrap_or_else(|| Files::open(&options.files).expect("a place for files"));
    let db = db.expect("a database URL");
    let settings = options.settings;
    let external = crate::external::runtime((&db, &cache, &files), &clock, &settings);
    let speaks_a2a = crate::a2a::runtime(&settings);
    let trainers = crate::tuning::trainers(options.trainers, (&db, &files), &clock);
    let opencode = crate::agents::opencode(&options.workspaces, &clock, &settings);
    App::new(Parts {
        db,
        locks: Locks::new(cache.clone()),
        cache,
        queue: options.queue.unwrap_or_else(|| Queue::Memory(Memory::new(Limits::default()))),
        files,
        keys: Keys::new(Pepper(PEPPER.as_bytes().to_vec()), "test".to_owned()),
        oidc: Oidc::new(options.issuers),
        agents: Agents::new(agents, Some("scripted".to_owned()))
            .speaking(Kind::Scripted, scripted)
            .speaking(Kind::OpenCode, opencode)
            .speaking(Kind::Eap, Arc::new(external))
            .speaking(Kind::A2a, speaks_a2a),
        trainers,
        settings,
        news: News::default(),
        push: options.push,
        clock,
    })
}

async fn new_tenant(app: &App, limits: TenantLimits) -> Tenant {
    let slug = format!("t-{}", &TenantId::new().0.simple().to_string()[20..]);
    let new = NewTenant { name: "A tenant".to_owned(), slug: slug.clone(), limits, training_consent: false };
    let id = tenant::create(app, &new).await.expect("a tenant");
    let mut keys = Vec::new();
    for role in Role::ALL {
        let request = KeyRequest { name: role.name(), role, expires_at: None };
        let (key, text) = issue(app, id, &request).await.expect("a key");
        keys.push((role, key, text));
    }
    Tenant { id, slug, keys }
}

/// Somebody who calls the API with certain headers.
#[derive(Clone)]
pub struct Caller {
    pub(crate) api: Router,
    pub(crate) headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: bytes::Bytes,
    /// Whether it has the form of A2A, also where it is an error.
    pub speaks_a2a: bool,
}

impl Reply {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The `code` of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The body, of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }

    /// The problem, of an answer that must be one with this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if self.speaks_a2a {
            return crate::a2a::problem(self, kind.as_deref(), status, code);
        }
        let body = self.expect(status);
        assert_eq!(kind.as_deref(), Some("application/problem+json"), "{body}");
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        assert!(body["request_id"].is_string() && body["remedy"].is_string());
        body
    }
}

impl Caller {
    /// The same caller with another header, or another value of it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.retain(|(known, _)| known != name);
        headers.push((name.to_owned(), value.to_owned()));
        Self { api: self.api.clone(), headers }
    }

    /// The same caller without a header.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.retain(|(known, _)| known != name);
        Self { api: self.api.clone(), headers }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body.to_string().into_bytes())).await
    }

    /// A POST without a body.
    pub async fn act(&self, path: &str) -> Reply {
        self.send("POST", path, None).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send("PATCH", path, Some(body.to_string().into_bytes())).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Reply {
        let short = ["/sessions", "/fine-tuning"].iter().any(|start| path.starts_with(start));
        let path = if short { format!("/api/v1{path}") } else { path.to_owned() };
        let own =
            self.headers.iter().find(|(name, _)| name == "x-tenant-id").map_or("nobody", |(_, slug)| slug.as_str());
        let path = path.replace("{tenant}", own);
        let speaks_a2a = path.starts_with("/api/v1/a2a/");
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if body.is_some() && !self.headers.iter().any(|(name, _)| name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from));
        let response = self.api.clone().oneshot(request.expect("a request")).await.expect("the router answers");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        Reply { status: parts.status, headers: parts.headers, bytes, speaks_a2a }
    }
}
