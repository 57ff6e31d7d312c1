//! `POST /fine-tuning/jobs`: configures a training job, which waits to be started.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    dataset::recipe,
    trainer::{Parameters, Provider},
    tuning::{
        draft::{Draft, Raw},
        service,
    },
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Creator, Json, Lead},
    tuning::view::TrainingJobView,
    version::Created,
};

/// A training job to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTrainingJob {
    /// What is trained further, as its provider calls it.
    #[schema(min_length = 1, max_length = 200)]
    base_model: String,
    /// The model of the registry that gets a new version.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    target_model_name: String,
    parameters: Option<Parameters>,
    /// The first that is offered when absent; see `GET /fine-tuning/providers`.
    provider: Option<Provider>,
    /// Which sessions it is trained on; every good one when absent.
    dataset: Option<recipe::Raw>,
}

#[utoipa::path(post, path = "/api/v1/fine-tuning/jobs", operation_id = "create_training_job", tag = "fine-tuning", request_body = NewTrainingJob,
    params(("X-Tenant-ID" = String, Header, description = "The caller's tenant: uuid or slug.")),
    responses((status = 201, description = "It was made.", body = TrainingJobView,
        headers(("Location" = String, description = "Its place."), ("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Creator<Lead>,
    Json(new): Json<NewTrainingJob>,
) -> Answer<Created<TrainingJobView>> {
    let raw = Raw {
        base_model: new.base_model,
        target_model_name: new.target_model_name,
        parameters: new.parameters,
        provider: new.provider,
        dataset: new.dataset,
    };
    let draft = Draft::parse(raw, &app.settings.tuning.offered)?;
    Ok(Created(TrainingJobView::of(&app, service::create(&app, &caller, draft).await?)?))
}
