//! Versions of single objects: `ETag` in answers, `If-Match` in requests.

use axum::{
    Json,
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    app::App,
    kernel::error::{Code, Error},
};

use crate::http::problem::ApiError;

/// The version that a request expects to change. `*` and no header mean any.
pub(crate) struct IfMatch(pub Option<i64>);

impl FromRequestParts<App> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        // A text that is no version of ours matches none.
        let mismatch = || Error::new(Code::VersionMismatch, "If-Match does not name a version of this object.");
        let version = text.trim_start_matches("W/").trim_matches('"').parse().map_err(|_| mismatch())?;
        Ok(Self(Some(version)))
    }
}

/// An object with a URL of its own and perhaps a version.
pub(crate) trait Versioned: Serialize {
    /// The path of the object.
    fn location(&self) -> String;

    /// The version that `If-Match` is compared with; `None` for objects that have none.
    fn version(&self) -> Option<i64>;

    /// Whether it holds a secret that is shown only once, so that no copy of the response may be kept.
    fn has_secret(&self) -> bool {
        false
    }
}

/// The mark of a response that holds a secret; see [`Versioned::has_secret`].
#[derive(Clone, Copy)]
pub(crate) struct HasSecret;

/// One object as JSON, with its version as `ETag` if it has one.
pub(crate) struct VersionedJson<T>(pub T);

impl<T: Versioned> IntoResponse for VersionedJson<T> {
    fn into_response(self) -> Response {
        let etag = self.0.version().map(|version| [(header::ETAG, format!("\"{version}\""))]);
        match etag {
            Some(etag) => (etag, Json(self.0)).into_response(),
            None => Json(self.0).into_response(),
        }
    }
}

/// A created object (201), with its URL as `Location`.
pub(crate) struct Created<T>(pub T);

impl<T: Versioned> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let has_secret = self.0.has_secret();
        let location = [(header::LOCATION, self.0.location())];
        let mut response = (StatusCode::CREATED, location, VersionedJson(self.0)).into_response();
        if has_secret {
            response.extensions_mut().insert(HasSecret);
        }
        response
    }
}
