//! Security headers: browsers must not guess media types, embed our pages, or cache answers of the API.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, Response, header},
    middleware::Next,
};
use lambda_http::request::RequestContext;

/// For answers of the API, which are data: a browser that opens one must run nothing.
const DATA_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// For the page at `/docs`, which is Scalar: its own files, and the styles and images that it creates while it runs.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// Adds the headers to every answer.
pub(super) async fn security_headers(request: Request, next: Next) -> Response<Body> {
    let path = request.uri().path();
    let (is_page, is_data) = (path == "/docs" || path.starts_with("/docs/"), path.starts_with("/api/"));
    let is_https = is_from_https(&request);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::CONTENT_SECURITY_POLICY, if is_page { PAGE_POLICY } else { DATA_POLICY });
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    // Answers for everybody set their own caching.
    let is_public = headers.get(header::CACHE_CONTROL).is_some_and(|kept| kept.as_bytes().starts_with(b"public"));
    if is_data && !is_public {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    response
}

/// Whether the client connected by HTTPS: always behind API Gateway, else if a proxy in front says so.
fn is_from_https(request: &Request) -> bool {
    let proxied = || request.headers().get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    request.extensions().get::<RequestContext>().is_some() || proxied()
}
