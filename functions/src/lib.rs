//! Every endpoint and background job of ioc.
//!
//! An area is a folder with a file per verb; its `routes()` also carry their OpenAPI. [`api`] joins all areas for hosts
//! that serve everything, and each Lambda in `src/bin` serves its own with [`serve`]. A background job is a function in
//! [`jobs`], and [`host`] is how Lambda calls both. [`http`] is what all areas share; no area uses another.

pub mod a2a;
pub mod agents;
pub mod api_keys;
pub mod audit;
pub mod auth;
pub mod datasets;
mod document;
pub mod eap;
pub mod environments;
pub mod events;
pub mod experiments;
pub mod fine_tuning;
pub mod health;
pub mod host;
mod http;
pub mod jobs;
pub mod live;
pub mod marketplace;
pub mod models;
pub mod runners;
pub mod secrets;
pub mod sessions;
pub mod tenants;
pub mod users;

use std::sync::LazyLock;

use axum::Router;
use shared::app::App;
use utoipa_axum::router::OpenApiRouter;

use crate::http::protocol::Protocol;

pub use http::request::BODY_LIMIT;

/// The protocols that bring their own form of errors.
static PROTOCOLS: [Protocol; 1] = [a2a::PROTOCOL];

/// All areas, with their OpenAPI.
fn areas() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::description())
        .merge(sessions_api())
        .merge(agents_api())
        .merge(models_api())
        .merge(eap_api())
        .merge(a2a::routes())
        .merge(tenants_api())
        .merge(fine_tuning_api())
        .merge(health::routes())
}

/// Sessions and the live stream: the routes of one function.
pub fn sessions_api() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(sessions::routes()).merge(live::routes())
}

/// Agents, the marketplace and environments: the routes of one function.
pub fn agents_api() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(agents::routes()).merge(marketplace::routes()).merge(environments::routes())
}

/// What external agents call, and runners: the routes of one function.
pub fn eap_api() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(eap::routes()).merge(runners::routes())
}

/// The model registry and experiments: the routes of one function.
pub fn models_api() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(models::routes()).merge(experiments::routes())
}

/// Tenants, users, credentials, secrets and the audit log: the routes of one function.
pub fn tenants_api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(tenants::routes())
        .merge(users::routes())
        .merge(auth::routes())
        .merge(api_keys::routes())
        .merge(audit::routes())
        .merge(secrets::routes())
}

/// Training jobs and datasets: the routes of one function.
pub fn fine_tuning_api() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(fine_tuning::routes()).merge(datasets::routes())
}

/// The OpenAPI document, generated from the handlers.
pub fn openapi() -> serde_json::Value {
    document::complete(areas().into_openapi())
}

/// Completes the document of some areas, as [`openapi`] does for all.
pub fn complete_openapi(document: utoipa::openapi::OpenApi) -> serde_json::Value {
    document::complete(document)
}

/// `/openapi.json` and its page at `/docs`.
pub fn documentation() -> Router<App> {
    health::documentation(openapi)
}

/// The routes of all HTTP endpoints. They are made once, because their OpenAPI is made along with them.
static ROUTES: LazyLock<Router<App>> = LazyLock::new(|| {
    let (routes, _) = areas().split_for_parts();
    routes.merge(documentation()).merge(live::socket::routes()).merge(live::runner_socket::routes())
});

/// All HTTP endpoints as one service.
pub fn api(app: App) -> Router {
    wrap(ROUTES.clone(), app)
}

/// Some routes as a service of their own.
pub fn serve(routes: OpenApiRouter<App>, app: App) -> Router {
    let (routes, _) = routes.split_for_parts();
    wrap(routes, app)
}

fn wrap(routes: Router<App>, app: App) -> Router {
    http::layers::wrap(routes.layer(health::readiness_layer()), app, &PROTOCOLS)
}
