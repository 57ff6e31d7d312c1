//! `POST /experiments/{id}/start`: takes sessions from now on.

use axum::extract::State;
use shared::{app::App, experiment::service, id::ExperimentId};

use crate::{
    experiments::view::ExperimentView,
    problem::{Answer, Problems},
    request::{Caller, Lead, Named},
    version::One,
};

#[utoipa::path(post, path = "/api/v1/experiments/{id}/start", operation_id = "start_experiment", tag = "experiments",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "It runs. What its arms lead to now is what they stay.", body = ExperimentView,
        headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn start(
    State(app): State<App>,
    caller: Caller<Lead>,
    Named(id): Named<ExperimentId>,
) -> Answer<One<ExperimentView>> {
    Ok(One(service::start(&app, &caller, id).await?.into()))
}
