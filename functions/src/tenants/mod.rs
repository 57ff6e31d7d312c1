//! All tenants, for admins; and the caller's own tenant.

mod create;
mod current;
mod delete;
mod get;
mod list;
mod patch;
mod quotas;
mod resource;
mod usage_corrections;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/v1/tenants` and `/api/v1/tenant`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get, patch::patch, delete::delete))
        .routes(routes!(current::get, current::patch))
        .routes(routes!(quotas::quotas))
        .routes(routes!(usage_corrections::correct))
}
