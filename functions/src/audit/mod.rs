//! The audit log: list, export and verification.

mod export;
mod list;
mod verify;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/audit`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(export::export)).routes(routes!(verify::verify))
}
