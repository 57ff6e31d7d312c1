//! The caller's own tenant.

mod get;
mod patch;
mod quotas;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/tenant`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get::get, patch::patch)).routes(routes!(quotas::quotas))
}
