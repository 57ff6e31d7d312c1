//! `GET /api-keys/{id}`: one API key, without its secret.

use axum::extract::State;
use shared::{
    app::App,
    identity::auth::{key::ApiKey, keys},
    kernel::id::KeyId,
};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Member, PathId},
    version::VersionedJson,
};

/// Get an API key
///
/// Returns one key without its secret.
#[utoipa::path(get, path = "/api/v1/api-keys/{id}", operation_id = "get_api_key", tag = "api-keys", params(("id" = uuid::Uuid, Path, description = "The id of the API key.")),
    responses((status = 200, description = "The key.", body = ApiKey)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Member>,
    PathId(id): PathId<KeyId>,
) -> HandlerResult<VersionedJson<ApiKey>> {
    Ok(VersionedJson(keys::get(&app, &caller, id).await?))
}
