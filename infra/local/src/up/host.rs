//! The product itself in this process: its schema, its demo tenant, its API and its workers.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use shared::{
    agents::registry,
    app::{App, config::Config, runtimes},
    events::stream::hub::serve::serve_connections,
    identity::{
        auth::{
            CallOrigin, CallerIdentity, Credentials, Role, SetupKey, create_setup_key, identify_caller, oidc::browser,
            store::find_tenant,
        },
        tenants::{self, InitialTenant, TenantLimits},
    },
    kernel::{clock::Clock, id::TenantId},
    platform::{postgres::migrations, variables::Variables},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::link::LinkRoute;
use crate::{dashboard::Dashboard, env_file::EnvFile, paths, services::kept_secret, workers};

/// The tenant that is created for trying ioc.
const SLUG: &str = "demo";

/// The addresses and folders that the product needs.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The address of the user who owns the schema.
    pub(super) database_url: String,
    pub(super) redis_url: String,
    pub(super) local: PathBuf,
}

/// The product, ready to be served.
pub(super) struct Host {
    app: App,
    /// The issuers' origins at which the dashboard logs people in.
    origins: Vec<String>,
}

/// Migrates the schema and connects to everything.
pub(super) async fn open(places: &Places, url: &str) -> Result<Host> {
    let password = kept_secret(&places.local.join("app.password"))?;
    migrations::migrate(&places.database_url, Some(&password)).await.context("the database cannot be migrated")?;
    paths::private(&places.local.join("files"))?;
    let config = Config::read(&variables(places, &password)?.with_default("PUBLIC_URL", url))?;
    functions::health::set_commit(&config.commit);
    let app = config.build(Clock::System, runtimes::all_runtimes, shared::app::trainers::all_trainers)?;
    registry::register_platform_agents(&app).await?;
    Ok(Host { app, origins: browser::login_origins(&config.issuers) })
}

/// The environment of this process, with the addresses of the servers.
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
        ("OBJECT_STORE_URL", under("files")),
        ("COMMAND_TRAINER_FOLDER", under("training")),
        ("SCRIPTED_AGENT", "true".to_owned()),
        ("SIMULATED_TRAINER", "true".to_owned()),
    ];
    Ok(ours.into_iter().fold(Variables::of_process(), |all, (name, value)| all.with_variable(name, value)))
}

impl Host {
    /// The demo tenant and its keys; known keys of an earlier start are kept while they are valid.
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
        // People who try ioc on their own machine also try fine-tuning with their own sessions.
        let (name, slug) = ("Demo".to_owned(), SLUG.to_owned());
        let new = InitialTenant { name, slug, limits: TenantLimits::default(), training_consent: true };
        Ok(tenants::create_for_setup(&self.app, &new).await?)
    }

    /// Creates and redeems the links to the dashboard.
    pub(super) fn link_route(&self, env: &EnvFile, local: &Path) -> Result<LinkRoute> {
        LinkRoute::new(self.app.clone(), &env.tenant, local)
    }

    async fn key(&self, tenant: TenantId, known: &str, role: Role) -> Result<String> {
        let (bearer, named) = (format!("Bearer {known}"), tenant.to_string());
        let credentials = Credentials { authorization: Some(&bearer), tenant: Some(&named), ..Credentials::default() };
        let call = CallOrigin { request_id: Arc::from("start"), address: None };
        let identity = identify_caller(&self.app, credentials, call).await;
        if identity.is_ok_and(
            |identity| matches!(identity, CallerIdentity::Caller(one) if one.role == role && one.tenant_id == tenant),
        ) {
            return Ok(known.to_owned());
        }
        let request = SetupKey { name: &format!("make up, {}", role.name()), role, expires_at: None };
        let (_, text) = create_setup_key(&self.app, tenant, &request).await?;
        Ok(text)
    }

    /// Serves the API, with the dashboard and its links where it was built, and runs the workers until the end.
    pub(super) async fn serve(
        self,
        listener: TcpListener,
        dashboard: Option<(Dashboard, LinkRoute)>,
        end: CancellationToken,
    ) -> Result<()> {
        let api = functions::api(self.app.clone());
        let api = match dashboard {
            Some((dashboard, links)) => dashboard.calling(&self.origins).around(api.merge(links.router())),
            None => api,
        };
        let workers = workers::run(&self.app, &end);
        // Not gracefully: an open event stream would delay the end for as long as somebody reads it.
        let serving = async {
            end.run_until_cancelled(
                axum::serve(listener, api.into_make_service_with_connect_info::<SocketAddr>()).into_future(),
            )
            .await
            .transpose()
        };
        let hub = self.app.backend.hub().cloned().unwrap_or_default();
        let watching = async {
            let _ = end.run_until_cancelled(Box::pin(serve_connections(&hub, &self.app))).await;
            // Subscribers reconnect, and continue from their cursor, after the next start.
            hub.close_all();
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let (served, (), ()) = tokio::join!(serving, workers, watching);
        served.map(|_| ()).context("the API has ended")
    }
}
