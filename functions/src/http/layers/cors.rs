//! Which other origins may read our answers (CORS).

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use shared::app::App;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may cache the answer to a preflight request.
const PREFLIGHT_CACHE: Duration = Duration::from_mins(10);

/// The layer for the configured origins; `None` when there are none. Pages send their credentials in headers that they
/// set themselves, so browsers need not add any.
pub(super) fn cors_layer(app: &App) -> Option<CorsLayer> {
    let origins: Vec<_> =
        app.settings.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let name = HeaderName::from_static;
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            name("idempotency-key"),
            name("last-event-id"),
            name("x-request-id"),
            name("x-tenant-id"),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            name("idempotent-replay"),
            name("ratelimit"),
            name("ratelimit-policy"),
            name("x-request-id"),
        ])
        .max_age(PREFLIGHT_CACHE);
    Some(layer)
}
