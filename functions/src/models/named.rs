//! What a path names: a model, and a version or an alias of it.

use axum::{extract::FromRequestParts, http::request::Parts};
use shared::{
    app::App,
    model::{Alias, Name, Version},
};

use crate::{problem::Failed, request::path};

/// The model that the path names.
pub(crate) struct OfModel(pub Name);

/// The version of a model that the path names.
pub(crate) struct OfVersion(pub Name, pub Version);

/// The alias of a model that the path names.
pub(crate) struct OfAlias(pub Name, pub Alias);

async fn name(parts: &mut Parts, app: &App) -> Result<Name, Failed> {
    Ok(path(parts, app, "name", "is no name that a model can have").await?)
}

impl FromRequestParts<App> for OfModel {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        Ok(Self(name(parts, app).await?))
    }
}

impl FromRequestParts<App> for OfVersion {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let version = path(parts, app, "version", "is no version, such as 1.2.0").await?;
        Ok(Self(name(parts, app).await?, version))
    }
}

impl FromRequestParts<App> for OfAlias {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let refusal = "must have 1 to 50 of the characters a-z 0-9 _ -, the first a letter";
        Ok(Self(name(parts, app).await?, path(parts, app, "alias", refusal).await?))
    }
}
