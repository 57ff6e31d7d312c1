//! The agents that a tenant sees: its own, those of the platform, and those that it enabled in the marketplace.

mod create;
mod delete;
mod get;
pub(crate) mod list;
mod patch;
pub(crate) mod performance;
mod route;
mod shares;
mod stats;
mod token;
mod tokens;
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
        .routes(routes!(token::issue))
        .routes(routes!(shares::list))
        .routes(routes!(shares::put, shares::delete))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::revoke))
}
