//! The users of a tenant, and the caller itself.

mod create;
mod delete;
mod get;
mod list;
mod me;
mod patch;
mod resource;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/v1/users` and `/api/v1/me`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get, patch::patch, delete::delete))
        .routes(routes!(me::me))
}
