//! `DELETE /users/{id}`: removes a person and their keys.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, id::UserId, user::service};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Lead, Named},
};

#[utoipa::path(delete, path = "/api/v1/users/{id}", operation_id = "delete_user", tag = "users", params(("id" = uuid::Uuid, Path)),
    responses((status = 204, description = "They are gone, and so are their keys."), Problems))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    Named(id): Named<UserId>,
) -> Answer<StatusCode> {
    service::remove(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
