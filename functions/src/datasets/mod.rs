//! Datasets: training samples made from a tenant's own sessions.

mod content;
mod get;
mod list;
mod preview;
mod sessions;
pub(crate) mod view;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/fine-tuning/datasets`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(preview::preview))
        .routes(routes!(get::get))
        .routes(routes!(content::content))
        .routes(routes!(sessions::list))
}
