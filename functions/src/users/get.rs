//! `GET /users/{id}`: one user.

use axum::extract::State;
use shared::{
    app::App,
    identity::users::{User, service},
    kernel::id::UserId,
};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, PathId, Viewer},
    version::VersionedJson,
};

/// Get a user
///
/// Returns one user of the tenant.
#[utoipa::path(get, path = "/api/v1/users/{id}", operation_id = "get_user", tag = "users", params(("id" = uuid::Uuid, Path, description = "The id of the user.")),
    responses((status = 200, description = "The user.", body = User, headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<UserId>,
) -> HandlerResult<VersionedJson<User>> {
    Ok(VersionedJson(service::get(&app, &caller, id).await?))
}
