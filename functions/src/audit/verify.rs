//! `GET /audit/verify`: whether the log is as it was written.

use axum::{Json, extract::State};
use shared::{
    app::App,
    audit::{service, store::Verdict},
};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Lead},
};

#[utoipa::path(get, path = "/api/v1/audit/verify", operation_id = "verify_audit", tag = "audit",
    responses((status = 200, description = "What a check of the whole chain found.", body = Verdict), Problems))]
pub(super) async fn verify(State(app): State<App>, caller: Caller<Lead>) -> Answer<Json<Verdict>> {
    Ok(Json(service::verify(&app, &caller).await?))
}
