//! Environments: where and with what sessions work.

mod create;
mod delete;
mod get;
mod list;
mod patch;
mod versions;
mod view;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/environments`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get, patch::patch, delete::delete))
        .routes(routes!(versions::list))
}
