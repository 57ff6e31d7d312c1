//! `DELETE /api-keys/{id}`: revokes an API key. It stays in the list as revoked.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use shared::{app::App, identity::auth::keys, kernel::id::KeyId};
use utoipa::IntoParams;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Member, PathId, Query},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RevocationQuery {
    /// Whether the keys that came from the key are revoked too. Default: false.
    #[serde(default)]
    cascade: bool,
}

/// Revoke an API key
///
/// Revokes a key. It remains in the list. Every process refuses it within 5 seconds. With `cascade` the keys that came
/// from it are revoked too: those that it created, those that replaced it, and the keys that these created in turn.
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", operation_id = "revoke_api_key", tag = "api-keys", params(RevocationQuery, ("id" = uuid::Uuid, Path, description = "The id of the API key.")),
    responses((status = 204, description = "The key is revoked.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Member>,
    PathId(id): PathId<KeyId>,
    Query(query): Query<RevocationQuery>,
) -> HandlerResult<StatusCode> {
    keys::revoke(&app, &caller, id, query.cascade).await?;
    Ok(StatusCode::NO_CONTENT)
}
