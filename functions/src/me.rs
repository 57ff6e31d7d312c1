//! `GET /me`: who calls, and what they may do.

use axum::{Json, extract::State};
use shared::{
    app::App,
    user::service::{self, Me},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Viewer},
};

/// `/api/v1/me`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(me))
}

#[utoipa::path(get, path = "/api/v1/me", operation_id = "get_me", tag = "users",
    responses((status = 200, description = "The caller.", body = Me), Problems))]
async fn me(State(app): State<App>, caller: Caller<Viewer>) -> Answer<Json<Me>> {
    Ok(Json(service::me(&app, &caller).await?))
}
