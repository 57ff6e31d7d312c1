//! A training job as it is shown.

use serde::Serialize;
use shared::{
    app::App,
    auth::Actor,
    clock::Time,
    dataset::Recipe,
    error::Result,
    id::{DatasetId, ModelVersionId, TenantId, TrainingJobId},
    session::{outcome::Failure, usage::usd},
    trainer::{Metrics, Parameters, Provider},
    tuning::{Measured, TrainingJob, status::Status},
};
use utoipa::ToSchema;

use crate::version::Object;

/// A job of fine-tuning.
#[derive(Serialize, ToSchema)]
#[schema(as = TrainingJob)]
pub(crate) struct TrainingJobView {
    pub id: TrainingJobId,
    tenant_id: TenantId,
    base_model: String,
    /// What is to be minded, such as that its base model is retired.
    warnings: Vec<String>,
    target_model_name: String,
    provider: Provider,
    parameters: Parameters,
    /// What its dataset is made by.
    dataset: Recipe,
    pub status: Status,
    #[schema(value_type = String, format = DateTime)]
    status_changed_at: Time,
    allowed_transitions: &'static [Status],
    /// It is over here, and its provider has not confirmed yet that it stopped.
    stopping: bool,
    /// Counts the submissions: 1, and one more with each retry.
    attempt: i32,
    /// 0..1, as far as the provider tells.
    progress: Option<f64>,
    metrics: Metrics,
    /// Why it failed.
    error: Option<Failure>,
    curated: Option<Curated>,
    /// What the provider calls it.
    external_id: Option<String>,
    evaluation: Option<Measured>,
    model: Option<MadeModel>,
    /// Of all attempts, as far as providers tell: decimal text with six places.
    cost_usd: String,
    last_event_seq: i64,
    /// Counts its moves; also the `ETag`.
    version: i64,
    created_by: Actor,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    submitted_at: Option<Time>,
    /// When the provider was last looked at.
    #[schema(value_type = Option<String>, format = DateTime)]
    polled_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
}

/// The dataset that was made for it.
#[derive(Serialize, ToSchema)]
#[schema(as = CuratedForTraining)]
struct Curated {
    dataset_id: DatasetId,
    /// In hexadecimal.
    sha256: String,
    training_samples: u64,
    held_out_samples: u64,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelOfTraining)]
struct MadeModel {
    name: String,
    version_id: ModelVersionId,
    version: String,
    /// `provider/model`; null when nobody serves it yet.
    model_identifier: Option<String>,
    /// Where it lies: the provider's name of it, a folder, a URL.
    artifact: Option<String>,
}

impl TrainingJobView {
    pub(super) fn of(app: &App, job: TrainingJob) -> Result<Self> {
        let warnings = job.warning(app.clock.now()).into_iter().collect();
        let curated = job.dataset.map(|dataset| Curated {
            dataset_id: dataset.id,
            sha256: dataset.sha256,
            training_samples: dataset.training.samples,
            held_out_samples: dataset.held_out.map_or(0, |file| file.samples),
        });
        let trained = job.trained.map(|trained| (trained.model_identifier, trained.artifact));
        let name = job.target_model_name.clone();
        let model = job.model.map(|(version_id, version)| {
            let (model_identifier, artifact) = trained.unzip();
            MadeModel { name, version_id, version, model_identifier: model_identifier.flatten(), artifact }
        });
        Ok(Self {
            id: job.id,
            tenant_id: job.tenant_id,
            base_model: job.base_model,
            warnings,
            target_model_name: job.target_model_name,
            provider: job.provider,
            parameters: job.parameters,
            dataset: serde_json::from_value(job.recipe)?,
            status: job.status,
            status_changed_at: job.status_changed_at,
            allowed_transitions: job.status.next(),
            stopping: job.stopping,
            attempt: job.attempt,
            progress: job.progress,
            metrics: job.metrics,
            error: job.error,
            curated,
            external_id: job.external_id,
            evaluation: job.evaluation,
            model,
            cost_usd: usd(job.cost_micros),
            last_event_seq: job.last_event_seq,
            version: job.version,
            created_by: job.created_by,
            created_at: job.created_at,
            updated_at: job.updated_at,
            started_at: job.started_at,
            submitted_at: job.submitted_at,
            polled_at: job.polled_at,
            ended_at: job.ended_at,
        })
    }
}

impl Object for TrainingJobView {
    fn place(&self) -> String {
        format!("/api/v1/fine-tuning/jobs/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
