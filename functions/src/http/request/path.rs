//! Path parameters.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use shared::{
    app::App,
    kernel::{
        error::{Error, Result},
        id::{ArtifactId, SessionId},
    },
};

use crate::http::problem::ApiError;

/// The session that the path names.
pub(crate) struct SessionPath(pub SessionId);

/// The object that the path names by `{id}`.
pub(crate) struct PathId<T>(pub T);

/// The session and the checkpoint that the path names.
pub(crate) struct CheckpointPath(pub SessionId, pub i32);

/// The session and the artifact that the path names.
pub(crate) struct ArtifactPath(pub SessionId, pub ArtifactId);

impl FromRequestParts<App> for SessionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(path(parts, app, "id", "is not a uuid").await?))
    }
}

impl<T: FromStr> FromRequestParts<App> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(path(parts, app, "id", "is not a uuid").await?))
    }
}

impl FromRequestParts<App> for CheckpointPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let sequence: i32 = path(parts, app, "sequence", "is not the number of a checkpoint").await?;
        if sequence < 1 {
            return Err(Error::invalid_field("sequence", "is not the number of a checkpoint").into());
        }
        Ok(Self(path(parts, app, "id", "is not a uuid").await?, sequence))
    }
}

impl FromRequestParts<App> for ArtifactPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let artifact = path(parts, app, "artifact_id", "is not a uuid").await?;
        Ok(Self(path(parts, app, "id", "is not a uuid").await?, artifact))
    }
}

/// One part of the path.
pub(crate) async fn path<T: FromStr>(parts: &mut Parts, app: &App, name: &str, refusal: &str) -> Result<T> {
    let unreadable = || Error::invalid_field(name, refusal);
    let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| unreadable())?;
    let value = params.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
    value.and_then(|value| value.parse().ok()).ok_or_else(unreadable)
}
