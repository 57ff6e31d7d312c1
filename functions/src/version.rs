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
    auth::key::ApiKey,
    error::{Code, Error},
    tenant::Tenant,
    user::User,
};

use crate::{problem::Failed, sessions::view::SessionView};

/// The version that a request means to change; `*` and no header mean any.
pub(crate) struct IfMatch(pub Option<i64>);

impl FromRequestParts<App> for IfMatch {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failed> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        // What is not one of our versions matches none.
        let mismatch = || Error::new(Code::VersionMismatch, "If-Match names no version of this object.");
        let version = text.trim_start_matches("W/").trim_matches('"').parse().map_err(|_| mismatch())?;
        Ok(Self(Some(version)))
    }
}

/// Something that has a place, and perhaps a version.
pub(crate) trait Object: Serialize {
    fn place(&self) -> String;

    fn version(&self) -> Option<i64>;
}

impl Object for Tenant {
    fn place(&self) -> String {
        format!("/api/v1/tenants/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl Object for SessionView {
    fn place(&self) -> String {
        format!("/api/v1/sessions/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl Object for User {
    fn place(&self) -> String {
        format!("/api/v1/users/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl Object for ApiKey {
    fn place(&self) -> String {
        format!("/api/v1/api-keys/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        None
    }
}

/// One object, with its version as `ETag` where it has one.
pub(crate) struct One<T>(pub T);

impl<T: Object> IntoResponse for One<T> {
    fn into_response(self) -> Response {
        let etag = self.0.version().map(|version| [(header::ETAG, format!("\"{version}\""))]);
        match etag {
            Some(etag) => (etag, Json(self.0)).into_response(),
            None => Json(self.0).into_response(),
        }
    }
}

/// An object that was made, with its place.
pub(crate) struct Created<T>(pub T);

impl<T: Object> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, [(header::LOCATION, self.0.place())], One(self.0)).into_response()
    }
}
