//! `DELETE /users/{id}`: removes a user with their API keys.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, identity::users::service, kernel::id::UserId};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Lead, PathId},
};

/// Delete a user
///
/// Deletes a user and revokes its keys. Requires the role lead.
#[utoipa::path(delete, path = "/api/v1/users/{id}", operation_id = "delete_user", tag = "users", params(("id" = uuid::Uuid, Path, description = "The id of the user.")),
    responses((status = 204, description = "The user was deleted.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<UserId>,
) -> HandlerResult<StatusCode> {
    service::delete(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
