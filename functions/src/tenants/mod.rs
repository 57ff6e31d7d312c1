//! All tenants: for admins.

mod create;
mod delete;
mod get;
mod list;
mod patch;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/tenants`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::create, list::list)).routes(routes!(
        get::get,
        patch::patch,
        delete::delete
    ))
}
