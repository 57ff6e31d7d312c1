//! The product itself in this process: its schema, its demo tenant, its API and its workers.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use shared::{
    agent,
    app::App,
    auth::{
        Role,
        oidc::browser,
        service::{Call, Credentials, Identity, KeyRequest, identify, issue},
        store::find_tenant,
    },
    clock::Clock,
    config::{Config, Variables},
    id::TenantId,
    migration,
    runtime::carried,
    tenant::{self, Limits, NewTenant},
    trainer,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{checkout, dashboard::Dashboard, env_file::EnvFile, services::kept_secret, workers};

/// The tenant that is made for whoever tries ioc.
const SLUG: &str = "demo";

/// Where everything is that the product needs.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The address of the user who owns the schema.
    pub(super) database_url: String,
    pub(super) redis_url: String,
    pub(super) opencode_url: String,
    pub(super) opencode_password: String,
    /// The folders that a session's `workspace.directory` may lie in.
    pub(super) directories: String,
    pub(super) local: PathBuf,
}

/// The product, ready to be served.
pub(super) struct Host {
    app: App,
    /// Where the dashboard's pages log people in.
    origins: Vec<String>,
}

/// Brings the schema up to date and opens everything.
pub(super) async fn open(places: &Places, url: &str) -> Result<Host> {
    let password = kept_secret(&places.local.join("app.password"))?;
    migration::migrate(&places.database_url, Some(&password)).await.context("the database cannot be migrated")?;
    for folder in ["files", "workspaces"] {
        checkout::private(&places.local.join(folder))?;
    }
    let config = Config::read(&variables(places, &password)?.or("PUBLIC_URL", url))?;
    functions::health::built_from(&config.commit);
    let app = config.build(Clock::System, carried::all, trainer::carried::all)?;
    agent::register(&app).await?;
    Ok(Host { app, origins: browser::origins(&config.issuers) })
}

/// The environment of this process, with what we know better: where the servers are.
fn variables(places: &Places, password: &str) -> Result<Variables> {
    let mut database: reqwest::Url = places.database_url.parse().context("DATABASE_URL is not a Postgres URL")?;
    let named = database.set_username("ioc_app").and_then(|()| database.set_password(Some(password)));
    named.ok().context("DATABASE_URL has no host")?;
    let under = |name: &str| places.local.join(name).display().to_string();
    let connections = std::thread::available_parallelism().map_or(4, usize::from).max(4) * 2;
    let ours = [
        ("DATABASE_URL", database.to_string()),
        ("DATABASE_CONNECTIONS", connections.to_string()),
        ("REDIS_URL", places.redis_url.clone()),
        ("API_KEY_PEPPER", kept_secret(&places.local.join("pepper"))?),
        ("FILES", under("files")),
        ("OPENCODE_URL", places.opencode_url.clone()),
        ("OPENCODE_PASSWORD", places.opencode_password.clone()),
        ("COMMAND_TRAINER_FOLDER", under("training")),
        ("OPENCODE_WORKSPACES", under("workspaces")),
        ("OPENCODE_DIRECTORIES", format!("{}:{}", under("demo"), places.directories)),
        ("SCRIPTED_AGENT", "true".to_owned()),
        ("SIMULATED_TRAINER", "true".to_owned()),
    ];
    Ok(ours.into_iter().fold(Variables::of_process(), |all, (name, value)| all.with(name, value)))
}

impl Host {
    /// The demo tenant and its keys; those that are known from an earlier start stay when they still hold.
    pub(super) async fn identity(&self, known: EnvFile) -> Result<EnvFile> {
        let tenant = match find_tenant(&self.app.db, SLUG).await? {
            Some(tenant) => tenant.id,
            None => self.create_tenant().await?,
        };
        let key = self.key(tenant, &known.key, Role::Lead).await?;
        let admin_key = self.key(tenant, &known.admin_key, Role::Admin).await?;
        Ok(EnvFile { tenant: tenant.to_string(), key, admin_key, ..known })
    }

    async fn create_tenant(&self) -> Result<TenantId> {
        // Whoever tries ioc on their own machine tries fine-tuning with their own sessions too.
        let (name, slug) = ("Demo".to_owned(), SLUG.to_owned());
        let new = NewTenant { name, slug, limits: Limits::default(), training_consent: true };
        Ok(tenant::create(&self.app, &new).await?)
    }

    async fn key(&self, tenant: TenantId, known: &str, role: Role) -> Result<String> {
        let (bearer, named) = (format!("Bearer {known}"), tenant.to_string());
        let credentials = Credentials { authorization: Some(&bearer), tenant: Some(&named), ..Credentials::default() };
        let call = Call { request_id: Arc::from("start"), address: None };
        let identity = identify(&self.app, credentials, call).await;
        if identity.is_ok_and(
            |identity| matches!(identity, Identity::Caller(one) if one.role == role && one.tenant_id == tenant),
        ) {
            return Ok(known.to_owned());
        }
        let request = KeyRequest { name: &format!("make up, {}", role.name()), role, expires_at: None };
        let (_, text) = issue(&self.app, tenant, &request).await?;
        Ok(text)
    }

    /// Serves the API, with the dashboard where it was built, and runs the workers until the end.
    pub(super) async fn serve(
        self,
        listener: TcpListener,
        dashboard: Option<Dashboard>,
        end: CancellationToken,
    ) -> Result<()> {
        let api = functions::api(self.app.clone());
        let api = match dashboard {
            Some(dashboard) => dashboard.calling(&self.origins).around(api),
            None => api,
        };
        let workers = workers::run(&self.app, &end);
        // Not gracefully: a stream of events would keep us for as long as it is listened to.
        let serving = async {
            end.run_until_cancelled(
                axum::serve(listener, api.into_make_service_with_connect_info::<SocketAddr>()).into_future(),
            )
            .await
            .transpose()
        };
        let hub = self.app.push.hub().cloned().unwrap_or_default();
        let watching = async {
            let _ = end.run_until_cancelled(Box::pin(hub.run(&self.app))).await;
            // Those who watch come again, to the same place, once we are back.
            hub.close();
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let (served, (), ()) = tokio::join!(serving, workers, watching);
        served.map(|_| ()).context("the API has ended")
    }
}
