//! `POST /experiments/{id}/start`: assigns sessions to the experiment from now on.

use axum::extract::State;
use shared::{app::App, kernel::id::ExperimentId, models::experiments::service};

use crate::{
    experiments::view::ExperimentView,
    http::{
        problem::HandlerResult,
        request::{Caller, Lead, PathId},
        version::VersionedJson,
    },
};

/// Start an experiment
///
/// Resolves the models of all arms, which stay fixed from then on, and assigns new sessions to them. Requires the
/// role lead.
#[utoipa::path(post, path = "/api/v1/experiments/{id}/start", operation_id = "start_experiment", tag = "experiments",
    params(("id" = uuid::Uuid, Path, description = "The id of the experiment.")),
    responses((status = 200, description = "The running experiment.", body = ExperimentView,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn start(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<ExperimentId>,
) -> HandlerResult<VersionedJson<ExperimentView>> {
    Ok(VersionedJson(service::start(&app, &caller, id).await?.into()))
}
