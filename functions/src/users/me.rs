//! `GET /me`: the caller and its permissions.

use axum::{Json, extract::State};
use shared::{
    app::App,
    identity::users::service::{self, Me},
};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Viewer},
};

/// Get the caller
///
/// Returns the user, the tenant, the role and the permissions of the credential that the request carries.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "get_me", tag = "users",
    responses((status = 200, description = "The caller.", body = Me)))]
pub(super) async fn me(State(app): State<App>, caller: Caller<Viewer>) -> HandlerResult<Json<Me>> {
    Ok(Json(service::get_me(&app, &caller).await?))
}
