//! `GET /sessions/stats`: statistics of the tenant's sessions.

use axum::{Json, extract::State};
use shared::{
    app::App,
    sessions::{service, store::Stats},
};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Viewer},
};

/// Get session statistics
///
/// Returns counts, durations, the success rate and the cost of the tenant's sessions.
#[utoipa::path(get, path = "/api/v1/sessions/stats", operation_id = "get_session_stats", tag = "sessions",
    responses((status = 200, description = "The statistics.", body = Stats)))]
pub(super) async fn stats(State(app): State<App>, caller: Caller<Viewer>) -> HandlerResult<Json<Stats>> {
    Ok(Json(service::get_stats(&app, &caller).await?))
}
