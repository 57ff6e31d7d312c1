//! `GET /api-keys`: the keys that the caller sees, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    auth::{key::ApiKey, keys},
    error::Refusals,
};
use utoipa::IntoParams;

use crate::{
    problem::{Answer, Problems},
    query::{limit, one},
    reply::Items,
    request::{Caller, Member, Query},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeysQuery {
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/api-keys", operation_id = "list_api_keys", tag = "api-keys", params(KeysQuery),
    responses((status = 200, description = "A page of them: for a lead and more all of the tenant, for a member the own.",
        body = Items<ApiKey>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Member>,
    Query(query): Query<KeysQuery>,
) -> Answer<Json<Items<ApiKey>>> {
    let mut refusals = Refusals::default();
    let limit = limit(&mut refusals, query.limit);
    let before = one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.finish()?;
    let found = keys::list(&app, &caller, before, limit + 1).await?;
    Ok(Json(Items::page(found, limit, |last| last.id.to_string())))
}
