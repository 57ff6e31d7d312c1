//! `POST /experiments/{id}/promote`: what an arm runs on becomes what an alias points at.

use axum::extract::State;
use serde::Deserialize;
use shared::{app::App, error::Refusals, experiment::service, id::ExperimentId, model::Alias};
use utoipa::ToSchema;

use crate::{
    experiments::view::ExperimentView,
    problem::{Answer, Problems},
    request::{Caller, Json, Lead, Named},
    version::One,
};

/// Which arm is made what everybody gets, and by which alias.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Promotion {
    #[schema(max_length = 50)]
    arm: String,
    /// Of the model that the arm runs on, such as champion.
    #[schema(max_length = 50)]
    alias: String,
}

#[utoipa::path(post, path = "/api/v1/experiments/{id}/promote", operation_id = "promote_experiment_arm", tag = "experiments",
    request_body = Promotion, params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The alias points at the arm's version; the experiment is stopped.", body = ExperimentView,
        headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn promote(
    State(app): State<App>,
    caller: Caller<Lead>,
    Named(id): Named<ExperimentId>,
    Json(sent): Json<Promotion>,
) -> Answer<One<ExperimentView>> {
    let mut refused = Refusals::default();
    let arm = refused.take("arm", sent.arm.parse::<Alias>());
    let alias = refused.take("alias", sent.alias.parse::<Alias>());
    refused.finish()?;
    let Some((arm, alias)) = arm.zip(alias) else {
        return Err(shared::error::Error::internal("both were read").into());
    };
    Ok(One(service::promote(&app, &caller, id, &arm, &alias).await?.into()))
}
