//! Secrets that sessions receive. No answer holds a value.

mod delete;
mod list;
mod put;
mod view;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/secrets`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(put::put, delete::delete))
}
