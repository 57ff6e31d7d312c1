//! `GET /users/{id}`: one person.

use axum::extract::State;
use shared::{
    app::App,
    id::UserId,
    user::{User, service},
};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Named, Viewer},
    version::One,
};

#[utoipa::path(get, path = "/api/v1/users/{id}", operation_id = "get_user", tag = "users", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The person.", body = User, headers(("ETag" = String, description = "Their version."))), Problems))]
pub(super) async fn get(State(app): State<App>, caller: Caller<Viewer>, Named(id): Named<UserId>) -> Answer<One<User>> {
    Ok(One(service::get(&app, &caller, id).await?))
}
