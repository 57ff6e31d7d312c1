//! The representation of a secret, and the secret that a path names.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Serialize;
use shared::{
    app::App,
    identity::secrets::{ModelProvider, NamedScope, SCOPE_FORM, Secret, SecretKind, SecretPhase, SecretScope},
    kernel::{
        actor::Actor,
        clock::Time,
        id::{EnvironmentId, SecretId, UserId},
    },
};
use utoipa::ToSchema;

use crate::http::{problem::ApiError, request::path};

/// A secret without its value.
#[derive(Serialize, ToSchema)]
#[schema(as = Secret)]
pub(super) struct SecretView {
    /// The id of the secret.
    pub(super) id: SecretId,
    /// The kind of owner.
    scope: SecretScope,
    /// The environment that owns the secret; null for other scopes.
    environment_id: Option<EnvironmentId>,
    /// The user who owns the secret; null for other scopes.
    user_id: Option<UserId>,
    /// The name of the secret, unique in its scope.
    name: String,
    /// Which part of a session knows the secret.
    phase: SecretPhase,
    /// What the secret is used for.
    kind: SecretKind,
    /// The git host that the secret is for; null unless its kind is `git`.
    host: Option<String>,
    /// The name to log in with at the git host; null unless its kind is `git`.
    username: Option<String>,
    /// The model provider that the secret is a key of; null unless its kind is `provider`.
    provider: Option<ModelProvider>,
    /// When the secret was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When the value or the settings were last set.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// The actor that last set the secret.
    updated_by: Actor,
}

impl From<Secret> for SecretView {
    fn from(secret: Secret) -> Self {
        Self {
            id: secret.id,
            scope: secret.owner.scope(),
            environment_id: secret.owner.environment_id(),
            user_id: secret.owner.user_id(),
            phase: secret.phase,
            kind: secret.used_as.kind(),
            host: secret.used_as.host().map(str::to_owned),
            username: secret.used_as.username().map(str::to_owned),
            provider: secret.used_as.provider(),
            name: secret.name,
            created_at: secret.created_at,
            updated_at: secret.updated_at,
            updated_by: secret.updated_by,
        }
    }
}

/// The scope and the name that the path names.
pub(super) struct NamedSecret(pub NamedScope, pub String);

impl FromRequestParts<App> for NamedSecret {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let scope = path(parts, app, "scope", SCOPE_FORM).await?;
        Ok(Self(scope, path(parts, app, "name", "is not text").await?))
    }
}
