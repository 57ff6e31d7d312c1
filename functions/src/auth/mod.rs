//! Logging in.

mod login_options;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/v1/login`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(login_options::login_options))
}
