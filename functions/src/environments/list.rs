//! `GET /environments`: the environments of the tenant, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{agents::environments::service, app::App, kernel::error::ValidationErrors};
use utoipa::IntoParams;

use crate::{
    environments::view::EnvironmentView,
    http::{
        problem::HandlerResult,
        query::{parse_limit, parse_one},
        request::{Caller, Member, Query},
        response::Items,
    },
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EnvironmentsQuery {
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List environments
///
/// Returns the environments of the tenant at their newest versions, newest first. Requires the role member.
#[utoipa::path(get, path = "/api/v1/environments", operation_id = "list_environments", tag = "environments", params(EnvironmentsQuery),
    responses((status = 200, description = "A page of environments.", body = Items<EnvironmentView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Member>,
    Query(query): Query<EnvironmentsQuery>,
) -> HandlerResult<Json<Items<EnvironmentView>>> {
    let mut refused = ValidationErrors::default();
    let limit = parse_limit(&mut refused, query.limit);
    let before = parse_one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.into_result()?;
    let found = service::list_environments(&app, &caller, before, limit + 1).await?;
    let views = found.into_iter().map(EnvironmentView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.id.to_string())))
}
