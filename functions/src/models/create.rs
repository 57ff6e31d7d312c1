//! `POST /models`: registers a version of a model that was trained elsewhere.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    models::registry::{ModelVersionRegistration, draft::ModelVersionInput, metrics::Metrics, service},
};
use utoipa::ToSchema;

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Lead},
        version::Created,
    },
    models::view::VersionView,
};

/// A model version to be registered. Training jobs register their versions by themselves.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewModelVersion {
    /// The name of the model, which is created if it does not exist.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    name: String,
    /// The version, as `major.minor.patch[-build]`. Default: the next one after the newest, a major step for another
    /// base model and a minor step otherwise, from 1.0.0 on.
    #[schema(max_length = 100)]
    version: Option<String>,
    /// The base model.
    #[schema(min_length = 1, max_length = 200)]
    base_model: String,
    /// The model as agents name it, `provider/model`. Without it no session can run on the version.
    #[schema(max_length = 300)]
    model_identifier: Option<String>,
    /// The location of the trained model.
    #[schema(max_length = 2000)]
    artifact: Option<String>,
    /// The provider that trained the model.
    #[schema(max_length = 50)]
    provider: Option<String>,
    /// The parameters of the training, at most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// The metrics of the training.
    metrics: Option<NewMetrics>,
    /// Notes for people.
    #[schema(max_length = 4000)]
    notes: Option<String>,
}

/// The metrics of a training.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMetrics {
    /// The last training loss.
    #[schema(minimum = 0)]
    final_loss: Option<f64>,
    /// The loss on held-out samples.
    #[schema(minimum = 0)]
    eval_loss: Option<f64>,
    /// The accuracy, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    accuracy: Option<f64>,
    /// The duration of the training in seconds.
    #[schema(minimum = 0)]
    training_duration_seconds: Option<f64>,
    /// The number of processed tokens.
    #[schema(minimum = 0)]
    tokens_processed: Option<i64>,
}

impl From<NewMetrics> for Metrics {
    fn from(new: NewMetrics) -> Self {
        let NewMetrics { final_loss, eval_loss, accuracy, training_duration_seconds, tokens_processed } = new;
        Self { final_loss, eval_loss, accuracy, training_duration_seconds, tokens_processed }
    }
}

/// Register a model version
///
/// Registers a version of a model that was trained elsewhere. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/models", operation_id = "register_model_version", tag = "models",
    request_body = NewModelVersion,
    responses((status = 201, description = "The registered version.", body = VersionView,
        headers(("Location" = String, description = "The URL of the created object.")))))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller<Lead>,
    Json(new): Json<NewModelVersion>,
) -> HandlerResult<Created<VersionView>> {
    let raw = ModelVersionInput {
        name: new.name,
        version: new.version,
        base_model: new.base_model,
        model_identifier: new.model_identifier,
        artifact: new.artifact,
        provider: new.provider,
        parameters: new.parameters,
        metrics: new.metrics.unwrap_or_default().into(),
        notes: new.notes,
    };
    let version = service::create(&app, &caller, &ModelVersionRegistration::parse(raw)?).await?;
    Ok(Created(VersionView::of(&app, version)))
}
