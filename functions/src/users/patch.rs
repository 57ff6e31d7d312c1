//! `PATCH /users/{id}`: changes a user.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    identity::{
        auth::Role,
        users::{User, UserChanges, service},
    },
    kernel::id::UserId,
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Json, Lead, PathId},
    version::{IfMatch, VersionedJson},
};

/// The changes to a user. Absent fields keep their value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserPatch {
    /// The e-mail address, unique in the tenant.
    #[schema(format = Email, max_length = 254)]
    email: Option<String>,
    /// The full name.
    #[schema(min_length = 1, max_length = 200)]
    full_name: Option<String>,
    /// The role.
    role: Option<Role>,
    /// Whether the user is active. All credentials of an inactive user are refused.
    is_active: Option<bool>,
}

/// Update a user
///
/// Changes the e-mail address, name or role of a user, or deactivates and reactivates it. Requires the role lead.
#[utoipa::path(patch, path = "/api/v1/users/{id}", operation_id = "patch_user", tag = "users", request_body = UserPatch,
    params(("id" = uuid::Uuid, Path, description = "The id of the user."), ("If-Match" = Option<String>, Header, description = "The version that the caller expects to change.")),
    responses((status = 200, description = "The updated user.", body = User,
        headers(("ETag" = String, description = "The new version of the object.")))))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<UserId>,
    IfMatch(version): IfMatch,
    Json(sent): Json<UserPatch>,
) -> HandlerResult<VersionedJson<User>> {
    let UserPatch { email, full_name, role, is_active } = sent;
    let changes = UserChanges { email, full_name, role, is_active }.validate()?;
    Ok(VersionedJson(service::update(&app, &caller, id, changes, version).await?))
}
