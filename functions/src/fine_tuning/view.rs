//! The representation of a training job.

use serde::Serialize;
use shared::{
    app::App,
    kernel::{
        actor::Actor,
        clock::Time,
        error::Result,
        failure::Failure,
        id::{DatasetId, ModelVersionId, TenantId, TrainingJobId},
        usage::format_usd,
    },
    models::registry::metrics::Metrics,
    training::{
        datasets::Recipe,
        jobs::{EvaluationSummary, JobDataset, TrainingJob, status::TrainingStatus},
        trainers::{Parameters, Provider},
    },
};
use utoipa::ToSchema;

use crate::http::version::Versioned;

/// A training job.
#[derive(Serialize, ToSchema)]
#[schema(as = TrainingJob)]
pub(crate) struct TrainingJobView {
    /// The id of the job.
    pub id: TrainingJobId,
    /// The tenant of the job.
    tenant_id: TenantId,
    /// The model to be trained, as its provider names it.
    base_model: String,
    /// Warnings, such as the retirement of the base model.
    warnings: Vec<String>,
    /// The model of the registry that gets a new version.
    target_model_name: String,
    /// The provider of the training.
    provider: Provider,
    /// The parameters of the training.
    parameters: Parameters,
    /// The recipe of the dataset.
    dataset: Recipe,
    /// The status of the job.
    pub status: TrainingStatus,
    /// When the status last changed.
    #[schema(value_type = String, format = DateTime)]
    status_changed_at: Time,
    /// The statuses that the job can change to.
    allowed_transitions: &'static [TrainingStatus],
    /// Whether the job has ended here but its provider has not confirmed that it stopped.
    stopping: bool,
    /// The number of the attempt: 1, and one more with each retry.
    attempt: i32,
    /// The progress that the provider reports, 0 to 1; null if unknown.
    progress: Option<f64>,
    /// The metrics of the training.
    metrics: Metrics,
    /// The error that ended the job; null without one.
    error: Option<Failure>,
    /// The dataset of the job; null before its curation.
    curated: Option<JobDatasetView>,
    /// The id of the job at the provider; null before its submission.
    external_id: Option<String>,
    /// The evaluation of the trained model; null before.
    evaluation: Option<EvaluationSummary>,
    /// The model version that the job made; null before.
    model: Option<MadeModel>,
    /// The cost of all attempts in US dollars, as decimal text with six places.
    cost_usd: String,
    /// The `seq` of the newest event.
    last_event_seq: i64,
    /// The version of the job, which is also its `ETag`.
    version: i64,
    /// The actor that created the job.
    created_by: Actor,
    /// When the job was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When the job was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// When the job was started; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    /// When the job was submitted to its provider; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    submitted_at: Option<Time>,
    /// When the provider was last polled; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    polled_at: Option<Time>,
    /// When the job ended; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
}

/// The dataset of a training job.
#[derive(Serialize, ToSchema)]
#[schema(as = TrainingDataset)]
struct JobDatasetView {
    /// The id of the dataset.
    dataset_id: DatasetId,
    /// The SHA-256 of the dataset, in hexadecimal.
    sha256: String,
    /// The number of training samples.
    training_samples: u64,
    /// The number of held-out samples.
    held_out_samples: u64,
}

/// The model version that a training job made.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelOfTraining)]
struct MadeModel {
    /// The name of the model.
    name: String,
    /// The id of the version.
    version_id: ModelVersionId,
    /// The version.
    version: String,
    /// The model as agents name it, `provider/model`; null until a provider serves it.
    model_identifier: Option<String>,
    /// The location of the trained model: a name of the provider, a folder or a URL.
    artifact: Option<String>,
}

impl From<JobDataset> for JobDatasetView {
    fn from(dataset: JobDataset) -> Self {
        Self {
            dataset_id: dataset.id,
            sha256: dataset.sha256,
            training_samples: dataset.training.samples,
            held_out_samples: dataset.held_out.map_or(0, |file| file.samples),
        }
    }
}

impl MadeModel {
    /// The version that a job registered; `None` before.
    fn of(job: &TrainingJob) -> Option<Self> {
        let (version_id, version) = job.model.clone()?;
        let trained = job.trained.as_ref();
        Some(Self {
            name: job.target_model_name.clone(),
            version_id,
            version,
            model_identifier: trained.and_then(|trained| trained.model_identifier.clone()),
            artifact: trained.map(|trained| trained.artifact.clone()),
        })
    }
}

impl TrainingJobView {
    pub(super) fn of(app: &App, job: TrainingJob) -> Result<Self> {
        let warnings = job.retirement_warning(app.clock.now()).into_iter().collect();
        let model = MadeModel::of(&job);
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
            curated: job.dataset.map(JobDatasetView::from),
            external_id: job.external_id,
            evaluation: job.evaluation,
            model,
            cost_usd: format_usd(job.cost_micros),
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

impl Versioned for TrainingJobView {
    fn location(&self) -> String {
        format!("/api/v1/fine-tuning/jobs/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
