//! `DELETE /api-keys/{id}`: revokes a key. It stays in the list, as revoked.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, auth::keys, id::KeyId};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Member, Named},
};

#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", operation_id = "revoke_api_key", tag = "api-keys", params(("id" = uuid::Uuid, Path)),
    responses((status = 204, description = "It is revoked: refused at once, and within 5 s by every process."), Problems))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Member>,
    Named(id): Named<KeyId>,
) -> Answer<StatusCode> {
    keys::revoke(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
