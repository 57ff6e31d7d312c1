//! `POST /api-keys/{id}/rotate`: replaces an API key, which stays valid for some time.

use axum::extract::State;
use serde::Deserialize;
use shared::{app::App, identity::auth::keys, kernel::id::KeyId};
use utoipa::ToSchema;

use crate::{
    api_keys::resource::CreatedApiKey,
    http::{
        problem::HandlerResult,
        request::{Caller, Member, OptionalJson, PathId},
        version::Created,
    },
};

/// The rotation of a key.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// The seconds for which the old key stays valid. Default: 86400.
    #[schema(minimum = 0, maximum = 604_800)]
    overlap_seconds: Option<i64>,
}

/// Rotate an API key
///
/// Creates a key with the same name, role, scopes, user and lifetime as another, which stays valid for a while. It does
/// not outlive the key of the caller, so a key cannot extend its own life. The secret is shown only once.
#[utoipa::path(post, path = "/api/v1/api-keys/{id}/rotate", operation_id = "rotate_api_key", tag = "api-keys",
    request_body = Option<Rotation>, params(("id" = uuid::Uuid, Path, description = "The id of the API key.")),
    responses((status = 201, description = "The new key with its secret.",
        body = CreatedApiKey, headers(("Location" = String, description = "The URL of the created object.")))))]
pub(super) async fn rotate(
    State(app): State<App>,
    caller: Caller<Member>,
    PathId(id): PathId<KeyId>,
    OptionalJson(rotation): OptionalJson<Rotation>,
) -> HandlerResult<Created<CreatedApiKey>> {
    Ok(Created(keys::rotate(&app, &caller, id, rotation.overlap_seconds).await?.into()))
}
