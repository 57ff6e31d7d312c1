//! `GET /audit/verify`: verifies that no entry of the log was changed or removed.

use axum::{Json, extract::State};
use shared::{
    app::App,
    identity::audit::{service, store::ChainCheck},
};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Lead},
};

/// Verify the audit log
///
/// Checks the hash chain of the whole audit log. Requires the role lead.
#[utoipa::path(get, path = "/api/v1/audit/verify", operation_id = "verify_audit", tag = "audit",
    responses((status = 200, description = "The result of the check.", body = ChainCheck)))]
pub(super) async fn verify(State(app): State<App>, caller: Caller<Lead>) -> HandlerResult<Json<ChainCheck>> {
    Ok(Json(service::verify_chain(&app, &caller).await?))
}
