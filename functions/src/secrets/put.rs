//! `PUT /secrets/{scope}/{name}`: creates a secret, or replaces its value and its settings.

use axum::{Json as JsonResponse, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    identity::secrets::{
        ModelProvider, SecretKind, SecretPhase,
        draft::{SecretDraft, SecretInput},
        service,
    },
};
use utoipa::ToSchema;

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Member},
    },
    secrets::view::{NamedSecret, SecretView},
};

/// The value of a secret and its settings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretValue {
    /// The value, at most 64 KiB. It is stored encrypted and never returned.
    #[schema(min_length = 1, max_length = 65536, write_only)]
    value: String,
    /// Which part of a session knows the secret. Default: `setup`.
    phase: Option<SecretPhase>,
    /// What the secret is used for. Default: `plain`.
    kind: Option<SecretKind>,
    /// The git host that the secret is for, such as `github.com`. Required for the kind `git`.
    #[schema(max_length = 255)]
    host: Option<String>,
    /// The name to log in with at the git host. Default: `x-access-token`.
    #[schema(min_length = 1, max_length = 200)]
    username: Option<String>,
    /// The model provider that the secret is a key of. Required for the kind `provider`.
    provider: Option<ModelProvider>,
}

/// Set a secret
///
/// Creates a secret, or replaces its value and its settings. Requires the role member for the caller's own secrets, and
/// the role lead for those of the tenant and of environments.
#[utoipa::path(put, path = "/api/v1/secrets/{scope}/{name}", operation_id = "put_secret", tag = "secrets", request_body = SecretValue,
    params(("scope" = String, Path, description = "`tenant`, `user` for the caller's own secrets, or the id of an environment."),
        ("name" = String, Path, description = "The name of the secret, as a variable has it.")),
    responses((status = 200, description = "The secret without its value.", body = SecretView)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller<Member>,
    NamedSecret(scope, name): NamedSecret,
    Json(sent): Json<SecretValue>,
) -> HandlerResult<JsonResponse<SecretView>> {
    let SecretValue { value, phase, kind, host, username, provider } = sent;
    let draft = SecretDraft::parse(&name, SecretInput { value, phase, kind, host, username, provider })?;
    Ok(JsonResponse(service::put_secret(&app, &caller, scope, draft).await?.into()))
}
