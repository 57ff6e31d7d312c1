//! `/openapi.json`, and the page at `/docs` that shows it: Scalar, served from this binary without any other host.

use std::{io::Write, sync::OnceLock};

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{Html, IntoResponse},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use shared::app::App;

const PAGE: &str = include_str!("docs.html");
const START: &str = include_str!("docs.js");

const JAVASCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");

/// How long browsers may cache the scripts of the page.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// The routes of the document and its page. The document is generated at the first request.
pub(crate) fn documentation(document: fn() -> serde_json::Value) -> Router<App> {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let json = [(header::CONTENT_TYPE, "application/json")];
    let text = move || DOCUMENT.get_or_init(|| document().to_string()).as_str();
    Router::new()
        .route("/openapi.json", get(async move || (json, text())))
        .route("/docs", get(async || Html(PAGE)))
        .route("/docs/", get(async || Html(PAGE)))
        .route("/docs/start.js", get(async || ([(header::CONTENT_TYPE, JAVASCRIPT)], START)))
        .route("/docs/scalar.js", get(scalar))
}

/// The script of the page, always compressed: uncompressed it exceeds the 6 MB that Lambda allows for a response, and
/// every browser accepts gzip.
async fn scalar() -> impl IntoResponse {
    static COMPRESSED: OnceLock<Vec<u8>> = OnceLock::new();
    let script = COMPRESSED.get_or_init(|| gzip(&scalar_api_reference::get_asset("scalar.js").unwrap_or_default()));
    let gzip = HeaderValue::from_static("gzip");
    let headers =
        [(header::CONTENT_TYPE, JAVASCRIPT), (header::CACHE_CONTROL, CACHED), (header::CONTENT_ENCODING, gzip)];
    (headers, script.as_slice())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}
