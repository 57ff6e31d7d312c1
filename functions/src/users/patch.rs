//! `PATCH /users/{id}`: changes a person.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    auth::Role,
    id::UserId,
    user::{Patch, User, service},
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Json, Lead, Named},
    version::{IfMatch, One},
};

/// What is to be changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserPatch {
    #[schema(format = Email, max_length = 254)]
    email: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    full_name: Option<String>,
    role: Option<Role>,
    /// False: every credential of theirs is refused.
    is_active: Option<bool>,
}

#[utoipa::path(patch, path = "/api/v1/users/{id}", operation_id = "patch_user", tag = "users", request_body = UserPatch,
    params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header, description = "The version that is to be changed.")),
    responses((status = 200, description = "They were changed.", body = User,
        headers(("ETag" = String, description = "Their new version."))), Problems))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Lead>,
    Named(id): Named<UserId>,
    IfMatch(version): IfMatch,
    Json(sent): Json<UserPatch>,
) -> Answer<One<User>> {
    let UserPatch { email, full_name, role, is_active } = sent;
    let patch = Patch { email, full_name, role, is_active }.parse()?;
    Ok(One(service::patch(&app, &caller, id, patch, version).await?))
}
