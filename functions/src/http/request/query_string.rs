//! The query string.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;
use shared::app::App;

use crate::http::{problem::ApiError, request::body::shape_error};

/// The query, in a known shape. Unknown parameters are rejected by name.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        let value = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = error.path().to_string();
            shape_error(&path, &error.into_inner().to_string())
        });
        Ok(Self(value?))
    }
}
