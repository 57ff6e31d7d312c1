//! `POST /experiments/{id}/stop`: assigns no further sessions to the experiment.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    kernel::{error::Error, id::ExperimentId},
    models::experiments::service,
};
use utoipa::ToSchema;

use crate::{
    experiments::view::ExperimentView,
    http::{
        problem::HandlerResult,
        request::{Caller, Lead, OptionalJson, PathId},
        version::VersionedJson,
    },
};

/// The reason of a stop.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopExperiment {
    /// The reason, which is recorded.
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// Stop an experiment
///
/// Ends the assignment of sessions. Running sessions continue on their arms. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/experiments/{id}/stop", operation_id = "stop_experiment", tag = "experiments",
    request_body = Option<StopExperiment>, params(("id" = uuid::Uuid, Path, description = "The id of the experiment.")),
    responses((status = 200, description = "The stopped experiment.", body = ExperimentView,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn stop(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<ExperimentId>,
    OptionalJson(sent): OptionalJson<StopExperiment>,
) -> HandlerResult<VersionedJson<ExperimentView>> {
    let fits = |text: &String| text.chars().count() <= 1000 && !text.contains('\0');
    if sent.reason.as_ref().is_some_and(|text| !fits(text)) {
        return Err(Error::invalid_field("reason", "must have at most 1000 characters, none of them NUL").into());
    }
    Ok(VersionedJson(service::stop(&app, &caller, id, sent.reason).await?.into()))
}
