//! `GET /experiments`: the experiments of the tenant, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    error::Refusals,
    experiment::{Status, service},
};
use utoipa::IntoParams;

use crate::{
    experiments::view::ExperimentView,
    problem::{Answer, Problems},
    query::{limit, one, words},
    reply::Items,
    request::{Caller, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExperimentsQuery {
    /// One or more, separated by commas: draft, running, stopped.
    status: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/experiments", operation_id = "list_experiments", tag = "experiments", params(ExperimentsQuery),
    responses((status = 200, description = "A page of them.", body = Items<ExperimentView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<ExperimentsQuery>,
) -> Answer<Json<Items<ExperimentView>>> {
    let mut refused = Refusals::default();
    let status = words(&mut refused, "status", query.status.as_deref(), Status::parse);
    let limit = limit(&mut refused, query.limit);
    let before = one(&mut refused, "cursor", query.cursor, "is not a cursor of this list");
    refused.finish()?;
    let found = service::list(&app, &caller, &status, before, limit + 1).await?;
    let views = found.into_iter().map(ExperimentView::from).collect();
    Ok(Json(Items::page(views, limit, |last| last.id.to_string())))
}
