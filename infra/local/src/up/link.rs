//! `GET /link/{ticket}`: signs in the browser that opens the printed link.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{self, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use shared::{
    app::App,
    identity::auth::{Role, SetupKey, create_setup_key},
    kernel::id::TenantId,
};

use crate::sign_in_links::SignInLinks;

/// How long the key is valid that a link signs in with.
const KEY_LIFETIME: Duration = Duration::from_hours(8);

const GONE: &str = "<!doctype html><title>ioc</title><p>This link was used before, or it has expired. \
    <code>make link</code> prints a new one.";
const FAILED: &str = "<!doctype html><title>ioc</title><p>The key could not be created: see the log of <code>make up</code>. \
    <code>make link</code> prints a new link.";

/// What redeems links, for the API of the host.
#[derive(Clone)]
pub(super) struct LinkRoute {
    app: App,
    tenant: TenantId,
    links: SignInLinks,
}

impl LinkRoute {
    /// Begins without the links of earlier starts.
    pub(super) fn new(app: App, tenant: &str, local: &Path) -> Result<Self> {
        let links = SignInLinks::of(local);
        links.clear().context("the links of the last start cannot be removed")?;
        Ok(Self { app, tenant: tenant.parse().context("the demo tenant has no id")?, links })
    }

    /// A link to the dashboard at this URL.
    pub(super) fn create_link(&self, url: &str) -> Result<String> {
        self.links.create(url, self.app.clock.now())
    }

    pub(super) fn router(self) -> Router {
        Router::new().route("/link/{ticket}", get(open_link)).with_state(self)
    }

    /// A new key of a lead. The admin's key is only in `.local/env`.
    async fn create_key(&self) -> Result<String> {
        let expires_at = Some(self.app.clock.now() + KEY_LIFETIME);
        let request = SetupKey { name: "the link to the dashboard", role: Role::Lead, expires_at };
        let (_, text) = create_setup_key(&self.app, self.tenant, &request).await?;
        Ok(text)
    }
}

/// Sends the browser to the dashboard, with a key behind the `#`, which a browser sends to no server.
async fn open_link(State(route): State<LinkRoute>, extract::Path(ticket): extract::Path<String>) -> Response {
    let answer = if route.links.redeem(&ticket, route.app.clock.now()) {
        match route.create_key().await {
            Ok(key) => (StatusCode::SEE_OTHER, [(header::LOCATION, format!("/#key={key}"))]).into_response(),
            Err(error) => {
                tracing::error!(?error, "the key for the dashboard could not be created");
                (StatusCode::SERVICE_UNAVAILABLE, Html(FAILED)).into_response()
            }
        }
    } else {
        (StatusCode::GONE, Html(GONE)).into_response()
    };
    let unstored = [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer")];
    (unstored, answer).into_response()
}
