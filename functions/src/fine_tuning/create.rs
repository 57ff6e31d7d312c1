//! `POST /fine-tuning/jobs`: creates a training job, which is started later.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    training::{
        datasets::recipe,
        jobs::{
            draft::{TrainingJobDraft, TrainingJobInput},
            service,
        },
        trainers::{Parameters, Provider},
    },
};
use utoipa::ToSchema;

use crate::{
    fine_tuning::view::TrainingJobView,
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Lead},
        version::Created,
    },
};

/// A training job to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTrainingJob {
    /// The model to be trained, as its provider names it.
    #[schema(min_length = 1, max_length = 200)]
    base_model: String,
    /// The model of the registry that gets a new version.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    target_model_name: String,
    /// The parameters of the training.
    parameters: Option<Parameters>,
    /// The provider of the training; see `GET /api/v1/fine-tuning/providers`. Default: the first one that is offered.
    provider: Option<Provider>,
    /// The recipe of the dataset. Default: all successful sessions.
    dataset: Option<recipe::RecipeInput>,
}

/// Create a training job
///
/// Creates a training job in the status `pending`. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/fine-tuning/jobs", operation_id = "create_training_job", tag = "fine-tuning", request_body = NewTrainingJob,
    responses((status = 201, description = "The created job.", body = TrainingJobView,
        headers(("Location" = String, description = "The URL of the created object."), ("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller<Lead>,
    Json(new): Json<NewTrainingJob>,
) -> HandlerResult<Created<TrainingJobView>> {
    let raw = TrainingJobInput {
        base_model: new.base_model,
        target_model_name: new.target_model_name,
        parameters: new.parameters,
        provider: new.provider,
        dataset: new.dataset,
    };
    let draft = TrainingJobDraft::parse(raw, &app.settings.tuning.offered)?;
    Ok(Created(TrainingJobView::of(&app, service::create(&app, &caller, draft).await?)?))
}
