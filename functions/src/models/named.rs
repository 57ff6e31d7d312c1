//! The model, version or alias in a path.

use axum::{extract::FromRequestParts, http::request::Parts};
use shared::{
    app::App,
    models::registry::{Alias, Name, Version},
};

use crate::http::{problem::ApiError, request::path};

/// The model that the path names.
pub(crate) struct OfModel(pub Name);

/// The version of a model that the path names.
pub(crate) struct OfVersion(pub Name, pub Version);

/// The alias of a model that the path names.
pub(crate) struct OfAlias(pub Name, pub Alias);

async fn name(parts: &mut Parts, app: &App) -> Result<Name, ApiError> {
    Ok(path(parts, app, "name", "is no name that a model can have").await?)
}

impl FromRequestParts<App> for OfModel {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(name(parts, app).await?))
    }
}

impl FromRequestParts<App> for OfVersion {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let version = path(parts, app, "version", "is no version, such as 1.2.0").await?;
        Ok(Self(name(parts, app).await?, version))
    }
}

impl FromRequestParts<App> for OfAlias {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let refusal = "must have 1 to 50 of the characters a-z 0-9 _ -, the first a letter";
        Ok(Self(name(parts, app).await?, path(parts, app, "alias", refusal).await?))
    }
}
