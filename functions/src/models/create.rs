//! `POST /models`: registers a version of a model that was trained elsewhere.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    model::{Registration, draft::Raw, service},
    trainer::Metrics,
};
use utoipa::ToSchema;

use crate::{
    models::view::VersionView,
    problem::{Answer, Problems},
    request::{Creator, Json, Lead},
    version::Created,
};

/// A version to be registered. What our own jobs train is registered by them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewModelVersion {
    /// Of the model, which is made if there is none of that name.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    name: String,
    /// `major.minor.patch[-build]`; when absent it follows from the newest: another base model is a major step, anything
    /// else a minor one, from 1.0.0 on.
    #[schema(max_length = 100)]
    version: Option<String>,
    /// What it stands on.
    #[schema(min_length = 1, max_length = 200)]
    base_model: String,
    /// How agents name it: `provider/model`. Without it no session can run on it.
    #[schema(max_length = 300)]
    model_identifier: Option<String>,
    /// Where it lies.
    #[schema(max_length = 2000)]
    artifact: Option<String>,
    /// Who trained it.
    #[schema(max_length = 50)]
    provider: Option<String>,
    /// At most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    metrics: Option<NewMetrics>,
    #[schema(max_length = 4000)]
    notes: Option<String>,
}

/// The figures of a training.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMetrics {
    #[schema(minimum = 0)]
    final_loss: Option<f64>,
    #[schema(minimum = 0)]
    eval_loss: Option<f64>,
    #[schema(minimum = 0, maximum = 1)]
    accuracy: Option<f64>,
    #[schema(minimum = 0)]
    training_duration_seconds: Option<f64>,
    #[schema(minimum = 0)]
    tokens_processed: Option<i64>,
}

impl From<NewMetrics> for Metrics {
    fn from(new: NewMetrics) -> Self {
        let NewMetrics { final_loss, eval_loss, accuracy, training_duration_seconds, tokens_processed } = new;
        Self { final_loss, eval_loss, accuracy, training_duration_seconds, tokens_processed }
    }
}

#[utoipa::path(post, path = "/api/v1/models", operation_id = "register_model_version", tag = "models",
    request_body = NewModelVersion, params(("X-Tenant-ID" = String, Header, description = "The caller's tenant: uuid or slug.")),
    responses((status = 201, description = "It was registered.", body = VersionView,
        headers(("Location" = String, description = "Its place."))), Problems))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Creator<Lead>,
    Json(new): Json<NewModelVersion>,
) -> Answer<Created<VersionView>> {
    let raw = Raw {
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
    let version = service::create(&app, &caller, &Registration::parse(raw)?).await?;
    Ok(Created(VersionView::of(&app, version)))
}
