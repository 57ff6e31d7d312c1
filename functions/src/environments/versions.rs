//! `GET /environments/{id}/versions`: the versions of an environment, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    agents::environments::service,
    app::App,
    kernel::{error::ValidationErrors, id::EnvironmentId},
};
use utoipa::IntoParams;

use crate::{
    environments::view::EnvironmentVersionView,
    http::{
        problem::HandlerResult,
        query::{parse_limit, parse_one},
        request::{Caller, Member, PathId, Query},
        response::Items,
    },
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionsQuery {
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<String>,
}

/// List versions of an environment
///
/// Returns the versions of an environment, newest first. Requires the role member.
#[utoipa::path(get, path = "/api/v1/environments/{id}/versions", operation_id = "list_environment_versions", tag = "environments",
    params(("id" = uuid::Uuid, Path, description = "The id of the environment."), VersionsQuery),
    responses((status = 200, description = "A page of versions.", body = Items<EnvironmentVersionView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Member>,
    PathId(id): PathId<EnvironmentId>,
    Query(query): Query<VersionsQuery>,
) -> HandlerResult<Json<Items<EnvironmentVersionView>>> {
    let mut refused = ValidationErrors::default();
    let limit = parse_limit(&mut refused, query.limit);
    let before = parse_one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.into_result()?;
    let found = service::list_versions(&app, &caller, id, before, limit + 1).await?;
    let views = found.into_iter().map(EnvironmentVersionView::from).collect();
    Ok(Json(Items::page(views, limit, |last: &EnvironmentVersionView| last.version.to_string())))
}
