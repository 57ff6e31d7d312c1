//! Whether we are there, whether we are ready, and what we can do. No credential is asked for.

mod live;
mod ready;

use std::sync::LazyLock;

use axum::{Router, http::header, routing::get};
use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// `/health` and `/ready`.
pub fn routes() -> OpenApiRouter<App> {
    live::started();
    OpenApiRouter::new().routes(routes!(live::health)).routes(routes!(ready::ready))
}

/// Says what this process was built from; the first word counts.
pub fn built_from(commit: &str) {
    live::COMMIT.get_or_init(|| commit.to_owned());
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| crate::openapi().to_json().unwrap_or_default());

/// `/openapi.json`, and a page to read it at `/docs`.
pub fn documents() -> Router<App> {
    let json = [(header::CONTENT_TYPE, "application/json")];
    let page = SwaggerUi::new("/docs").config(Config::from("/openapi.json"));
    Router::new().route("/openapi.json", get(async move || (json, DOCUMENT.as_str()))).merge(Router::from(page))
}
