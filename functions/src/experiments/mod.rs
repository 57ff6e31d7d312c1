//! Experiments: the comparison of models on live sessions.

mod create;
mod get;
mod list;
mod promote;
mod results;
mod start;
mod stop;
mod view;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/experiments`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get))
        .routes(routes!(start::start))
        .routes(routes!(stop::stop))
        .routes(routes!(promote::promote))
        .routes(routes!(results::results))
}
