//! `GET /api-keys/{id}`: one key, without its secret.

use axum::extract::State;
use shared::{
    app::App,
    auth::{key::ApiKey, keys},
    id::KeyId,
};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Member, Named},
    version::One,
};

#[utoipa::path(get, path = "/api/v1/api-keys/{id}", operation_id = "get_api_key", tag = "api-keys", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "It.", body = ApiKey), Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Member>,
    Named(id): Named<KeyId>,
) -> Answer<One<ApiKey>> {
    Ok(One(keys::get(&app, &caller, id).await?))
}
