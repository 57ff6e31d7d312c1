//! `POST /experiments/{id}/stop`: takes no more sessions.

use axum::extract::State;
use serde::Deserialize;
use shared::{app::App, error::Error, experiment::service, id::ExperimentId};
use utoipa::ToSchema;

use crate::{
    experiments::view::ExperimentView,
    problem::{Answer, Problems},
    request::{Caller, Lead, Named, OptionalJson},
    version::One,
};

/// Why it is stopped.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopExperiment {
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

#[utoipa::path(post, path = "/api/v1/experiments/{id}/stop", operation_id = "stop_experiment", tag = "experiments",
    request_body = Option<StopExperiment>, params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "It is stopped. What runs on its arms ends as it would.", body = ExperimentView,
        headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn stop(
    State(app): State<App>,
    caller: Caller<Lead>,
    Named(id): Named<ExperimentId>,
    OptionalJson(sent): OptionalJson<StopExperiment>,
) -> Answer<One<ExperimentView>> {
    let fits = |text: &String| text.chars().count() <= 1000 && !text.contains('\0');
    if sent.reason.as_ref().is_some_and(|text| !fits(text)) {
        return Err(Error::field("reason", "must have at most 1000 characters, none of them NUL").into());
    }
    Ok(One(service::stop(&app, &caller, id, sent.reason).await?.into()))
}
