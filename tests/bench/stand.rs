//! A whole ioc in this process: a database of its own, the API behind a real listener, and the local host's workers.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use axum::Router;
use harness::{Options, TestApp};
use shared::{
    agents::{
        contract::AgentRuntime,
        registry::{Kind, PlatformAgent},
    },
    app::{App, Settings},
    identity::{
        auth::Role,
        rate_limits::RateLimits,
        tenants::{TenantLimits, quotas::StorageQuotas},
    },
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Place};

/// What is measured, and who asks it.
pub(crate) struct Stand {
    pub(crate) world: TestApp,
    pub(crate) place: Place,
    _tasks: JoinSet<()>,
}

impl Stand {
    /// With an agent `watched` besides the scripted one.
    pub(crate) async fn new(watched: Arc<dyn AgentRuntime>, settings: Settings) -> Result<Self> {
        let quotas = StorageQuotas { open_sessions: 0, ..settings.quotas };
        let settings = Settings { rate: RateLimits::unlimited(), quotas, ..settings };
        let limits = open_limits();
        let agent =
            PlatformAgent { name: "watched".to_owned(), kind: Kind::Scripted, capacity: None, runtime: Some(watched) };
        let world = TestApp::idle(Options { settings, limits, agents: vec![agent], ..Options::default() }).await;
        Self::serve(world.api.clone(), world).await
    }

    /// Serves a world through these routes.
    pub(crate) async fn serve(api: Router, world: TestApp) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { _ = axum::serve(listener, api).await });
        let app = world.app.clone();
        tasks.spawn(async move { work(&app).await });
        let place = place(&world, address);
        Ok(Self { world, place, _tasks: tasks })
    }

    /// A session that waits to be started; answers its id.
    pub(crate) async fn pending(&self, client: &mut Client, agent_config: &str) -> Result<String> {
        let made = client.json("POST", SESSIONS, &body(agent_config, false)).await?;
        Ok(made["id"].as_str().unwrap_or_default().to_owned())
    }
}

/// Limits that no measurement reaches.
pub(crate) fn open_limits() -> TenantLimits {
    TenantLimits {
        max_concurrent_sessions: 100_000,
        max_queued_sessions: 1_000_000,
        max_tokens_per_month: 0,
        ..TenantLimits::default()
    }
}

async fn work(app: &App) {
    local::workers::run(app, &CancellationToken::new()).await;
}

fn place(world: &TestApp, address: SocketAddr) -> Place {
    let tenant = &world.tenant;
    Place { address, key: tenant.key(Role::Member).to_owned(), tenant: tenant.slug.clone(), once: false }
}

pub(crate) const SESSIONS: &str = "/api/v1/sessions";

/// What a person would send: a prompt of some lines.
pub(crate) fn body(agent_config: &str, start: bool) -> String {
    let prompt = "The parser refuses a trailing comma. Find the place, make it accept one, and add a test. ".repeat(4);
    format!(
        r#"{{"title": "Fix the parser", "description": "As reported by two users.", "initial_prompt": "{prompt}",
            "tags": ["parser", "bug"], "metadata": {{"ticket": "4711"}}, "agent_config": {agent_config}, "start": {start}}}"#
    )
}
