//! Fine-tuning: training jobs and the tenant's settings of training providers.

mod cancel;
mod create;
mod curve;
mod events;
mod get;
mod list;
mod poll;
mod providers;
mod retry;
mod start;
pub(crate) mod view;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Jobs and providers, under `/api/v1/fine-tuning`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(poll::poll))
        .routes(routes!(get::get))
        .routes(routes!(start::start))
        .routes(routes!(cancel::cancel))
        .routes(routes!(retry::retry))
        .routes(routes!(events::events))
        .routes(routes!(curve::curve))
        .routes(routes!(providers::list))
        .routes(routes!(providers::get, providers::put, providers::delete))
}
