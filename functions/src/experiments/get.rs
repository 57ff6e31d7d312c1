//! `GET /experiments/{id}`: one experiment.

use axum::extract::State;
use shared::{app::App, kernel::id::ExperimentId, models::experiments::service};

use crate::{
    experiments::view::ExperimentView,
    http::{
        problem::HandlerResult,
        request::{Caller, PathId, Viewer},
        version::VersionedJson,
    },
};

/// Get an experiment
///
/// Returns one experiment with its arms and guardrails.
#[utoipa::path(get, path = "/api/v1/experiments/{id}", operation_id = "get_experiment", tag = "experiments",
    params(("id" = uuid::Uuid, Path, description = "The id of the experiment.")),
    responses((status = 200, description = "The experiment.", body = ExperimentView,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<ExperimentId>,
) -> HandlerResult<VersionedJson<ExperimentView>> {
    Ok(VersionedJson(service::get(&app, &caller, id).await?.into()))
}
