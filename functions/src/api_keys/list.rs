//! `GET /api-keys`: the API keys that the caller sees, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    identity::auth::{key::ApiKey, keys},
    kernel::error::ValidationErrors,
};
use utoipa::IntoParams;

use crate::http::{
    problem::HandlerResult,
    query::{parse_limit, parse_one},
    request::{Caller, Member, Query},
    response::Items,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeysQuery {
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List API keys
///
/// Returns the API keys that the caller can see, newest first: a lead sees all keys of the tenant, a member its own.
#[utoipa::path(get, path = "/api/v1/api-keys", operation_id = "list_api_keys", tag = "api-keys", params(KeysQuery),
    responses((status = 200, description = "A page of API keys.",
        body = Items<ApiKey>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Member>,
    Query(query): Query<KeysQuery>,
) -> HandlerResult<Json<Items<ApiKey>>> {
    let mut refusals = ValidationErrors::default();
    let limit = parse_limit(&mut refusals, query.limit);
    let before = parse_one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    let found = keys::list(&app, &caller, before, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.id.to_string())))
}
