//! The agents that a tenant sees: its own, which leads make and change, the platform's, and those that it enabled.

mod create;
mod delete;
mod get;
pub(crate) mod list;
mod patch;
pub(crate) mod performance;
mod route;
mod shares;
mod stats;
pub(crate) mod view;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/agents`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(stats::stats))
        .routes(routes!(route::route))
        .routes(routes!(get::get, patch::patch, delete::delete))
        .routes(routes!(performance::performance))
        .routes(routes!(shares::list))
        .routes(routes!(shares::put, shares::delete))
}
