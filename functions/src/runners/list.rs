//! `GET /runners`: the runners of the tenant, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    agents::runners::{
        RunnerState, is_pool,
        service::{self, RunnerFilter},
    },
    app::App,
    kernel::error::ValidationErrors,
};
use utoipa::IntoParams;

use crate::{
    http::{
        problem::HandlerResult,
        query::{parse_limit, parse_list, parse_one},
        request::{Caller, Member, Query},
        response::Items,
    },
    runners::view::RunnerView,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RunnersQuery {
    /// Only these states, separated by commas.
    state: Option<String>,
    /// Only the runners of this pool.
    pool: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List runners
///
/// Returns the runners of the tenant, newest first. Requires the role member.
#[utoipa::path(get, path = "/api/v1/runners", operation_id = "list_runners", tag = "runners", params(RunnersQuery),
    responses((status = 200, description = "A page of runners.", body = Items<RunnerView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Member>,
    Query(query): Query<RunnersQuery>,
) -> HandlerResult<Json<Items<RunnerView>>> {
    let mut refusals = ValidationErrors::default();
    let state = parse_list(&mut refusals, "state", query.state.as_deref(), RunnerState::parse);
    if query.pool.as_deref().is_some_and(|pool| !is_pool(pool)) {
        refusals.add("pool", "is not the name of a pool");
    }
    let limit = parse_limit(&mut refusals, query.limit);
    let before = parse_one(&mut refusals, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    let filter = RunnerFilter { state, pool: query.pool };
    let found = service::list(&app, &caller, &filter, before, limit + 1).await?;
    let views = found.into_iter().map(RunnerView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.id.to_string())))
}
