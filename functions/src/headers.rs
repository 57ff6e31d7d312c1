//! What every answer tells a browser: to guess no types, to embed us nowhere, to keep nothing, and which other origins
//! may read it.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, Response, header},
    middleware::Next,
};
use lambda_http::request::RequestContext;
use shared::app::App;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// An answer of the API is data: a browser that is led to it shows nothing and runs nothing.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The page at `/docs` is Swagger UI: its own files, and the styles and images that it makes as it runs.
const PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// How long a browser may remember what it was allowed, in seconds.
const REMEMBERED: u64 = 600;

/// Adds what keeps an answer from being misused.
pub(crate) async fn secure(request: Request, next: Next) -> Response<Body> {
    let path = request.uri().path();
    let (is_page, is_data) = (path == "/docs" || path.starts_with("/docs/"), path.starts_with("/api/"));
    let by_https = came_by_https(&request);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::CONTENT_SECURITY_POLICY, if is_page { PAGE } else { NOTHING });
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    // What says that anybody may have it says so itself.
    let is_public = headers.get(header::CACHE_CONTROL).is_some_and(|kept| kept.as_bytes().starts_with(b"public"));
    if is_data && !is_public {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if by_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    response
}

/// Whether the browser's side of the connection is HTTPS: behind API Gateway always, else as a proxy in front says.
fn came_by_https(request: &Request) -> bool {
    let proxied = || request.headers().get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    request.extensions().get::<RequestContext>().is_some() || proxied()
}

/// Which other origins a page may call us from; `None` when there are none. Credentials travel in headers that the page
/// sets itself, so that a browser never has to add any.
pub(crate) fn cross_origin(app: &App) -> Option<CorsLayer> {
    let origins: Vec<_> = app.settings.cors_origins.iter().filter_map(|one| HeaderValue::from_str(one).ok()).collect();
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
        .max_age(std::time::Duration::from_secs(REMEMBERED));
    Some(layer)
}
