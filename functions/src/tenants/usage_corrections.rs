//! `POST /tenants/{id}/usage-corrections`: corrects the tokens that a tenant used this month.

use axum::{Json as JsonResponse, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    engine::tenant_update::correct_usage,
    identity::tenants::correction::{CorrectedUsage, UsageCorrection},
    kernel::id::TenantId,
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Admin, Caller, Json, PathId},
};

/// A correction of the tokens that a tenant used this month.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUsageCorrection {
    /// The number of tokens to add; negative: to take away. The count never falls below 0.
    #[schema(minimum = -1_000_000_000_000_000_i64, maximum = 1_000_000_000_000_000_i64)]
    tokens: i64,
    /// Why the usage is corrected, for the audit log.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Correct the usage of a tenant
///
/// Adds tokens to those that the tenant used this month, or takes them away. Sessions that wait for tokens continue if
/// that makes room. Requires the role admin.
#[utoipa::path(post, path = "/api/v1/tenants/{id}/usage-corrections", operation_id = "correct_usage", tag = "tenants",
    params(("id" = uuid::Uuid, Path, description = "The id of the tenant.")), request_body = NewUsageCorrection,
    responses((status = 200, description = "The usage after the correction.", body = CorrectedUsage)))]
pub(super) async fn correct(
    State(app): State<App>,
    caller: Caller<Admin>,
    PathId(id): PathId<TenantId>,
    Json(sent): Json<NewUsageCorrection>,
) -> HandlerResult<JsonResponse<CorrectedUsage>> {
    let correction = UsageCorrection::parse(sent.tokens, sent.reason)?;
    Ok(JsonResponse(correct_usage(&app, &caller, id, correction).await?))
}
