//! `GET /sessions/stats`: the tenant's sessions in figures.

use axum::{Json, extract::State};
use shared::{
    app::App,
    session::{service, store::Stats},
};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Viewer},
};

#[utoipa::path(get, path = "/api/v1/sessions/stats", operation_id = "get_session_stats", tag = "sessions",
    responses((status = 200, description = "Counts, durations, success and cost.", body = Stats), Problems))]
pub(super) async fn stats(State(app): State<App>, caller: Caller<Viewer>) -> Answer<Json<Stats>> {
    Ok(Json(service::stats(&app, &caller).await?))
}
