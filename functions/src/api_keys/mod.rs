//! API keys.

mod create;
mod delete;
mod get;
mod list;
mod resource;
mod rotate;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/api-keys`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get, delete::delete))
        .routes(routes!(rotate::rotate))
}
