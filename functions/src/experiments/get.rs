//! `GET /experiments/{id}`: one experiment.

use axum::extract::State;
use shared::{app::App, experiment::service, id::ExperimentId};

use crate::{
    experiments::view::ExperimentView,
    problem::{Answer, Problems},
    request::{Caller, Named, Viewer},
    version::One,
};

#[utoipa::path(get, path = "/api/v1/experiments/{id}", operation_id = "get_experiment", tag = "experiments",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The experiment.", body = ExperimentView,
        headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<ExperimentId>,
) -> Answer<One<ExperimentView>> {
    Ok(One(service::get(&app, &caller, id).await?.into()))
}
