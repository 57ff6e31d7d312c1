//! `POST /experiments/{id}/promote`: points an alias at the model of an arm.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    kernel::{error::ValidationErrors, id::ExperimentId},
    models::{experiments::service, registry::Alias},
};
use utoipa::ToSchema;

use crate::{
    experiments::view::ExperimentView,
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Lead, PathId},
        version::VersionedJson,
    },
};

/// The arm to be promoted and the alias to be moved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Promotion {
    /// The name of the arm.
    #[schema(max_length = 50)]
    arm: String,
    /// The alias of the arm's model, such as `champion`.
    #[schema(max_length = 50)]
    alias: String,
}

/// Promote an arm
///
/// Moves an alias to the model version of an arm and stops the experiment. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/experiments/{id}/promote", operation_id = "promote_experiment_arm", tag = "experiments",
    request_body = Promotion, params(("id" = uuid::Uuid, Path, description = "The id of the experiment.")),
    responses((status = 200, description = "The stopped experiment.", body = ExperimentView,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn promote(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<ExperimentId>,
    Json(sent): Json<Promotion>,
) -> HandlerResult<VersionedJson<ExperimentView>> {
    let mut refused = ValidationErrors::default();
    let arm = refused.check("arm", sent.arm.parse::<Alias>());
    let alias = refused.check("alias", sent.alias.parse::<Alias>());
    refused.into_result()?;
    let Some((arm, alias)) = arm.zip(alias) else {
        return Err(shared::kernel::error::Error::internal("both were read").into());
    };
    Ok(VersionedJson(service::promote(&app, &caller, id, &arm, &alias).await?.into()))
}
