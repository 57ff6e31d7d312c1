//! The model registry: versions, aliases and base models.

mod aliases;
mod base;
mod compare;
mod create;
mod get;
mod history;
mod list;
mod named;
mod patch;
mod rollback;
mod versions;
pub(crate) mod view;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/models` and `/api/v1/base-models`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get))
        .routes(routes!(compare::compare))
        .routes(routes!(versions::list))
        .routes(routes!(versions::get, patch::patch))
        .routes(routes!(aliases::put, aliases::delete))
        .routes(routes!(history::history))
        .routes(routes!(rollback::rollback))
        .routes(routes!(base::list, base::put))
}
