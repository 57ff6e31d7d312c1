//! Protocols with rules of their own below some paths, such as A2A. The composer names them; layers and problems only
//! know this description.

use axum::{body::Body, http::Response};
use shared::kernel::error::Error;

/// Writes an error in the form of a protocol; the last argument is the id of the request.
pub(crate) type RenderError = fn(Response<Body>, &Error, &str) -> Response<Body>;

/// A protocol that defines its own form of errors and its own idempotency. A request below its paths carries it as an
/// extension.
#[derive(Clone, Copy)]
pub(crate) struct Protocol {
    /// Whether a path belongs to the protocol.
    pub owns_path: fn(&str) -> bool,
    pub render_error: RenderError,
}
