//! The contract with providers of training: one trait, implemented once per provider. Every call may be repeated with
//! the same arguments after a crash, and must then have the effect of one call.

pub mod aws;
pub mod command;
pub mod openai;
pub mod parameters;
mod samples;
mod set;
pub mod settings;
pub mod simulated;
mod trouble;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    kernel::{
        clock::Time,
        failure::Failure,
        id::{TenantId, TrainingJobId},
    },
    models::registry::metrics::Metrics,
};

pub use parameters::{Method, Parameters};
pub use set::Trainers;
pub use settings::TrainerSettings;

/// A provider of training.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Simulates a training from a seed: for trying the pipeline, and for tests.
    Simulated,
    /// Any server with OpenAI's files and fine-tuning jobs API.
    Openai,
    /// Amazon Web Services.
    Aws,
    /// A program on the host of ioc.
    Command,
}

impl Provider {
    pub const ALL: [Self; 4] = [Self::Simulated, Self::Openai, Self::Aws, Self::Command];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Openai => "openai",
            Self::Aws => "aws",
            Self::Command => "command",
        }
    }

    /// Whether it supports methods that need pairs of a preferred and a rejected answer. A dataset has one answer per
    /// prompt, so the provider must create the pairs.
    pub const fn makes_pairs(self) -> bool {
        matches!(self, Self::Command)
    }

    pub fn parse_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// Everything that a trainer needs to know of a job.
#[derive(Clone, Debug)]
pub struct Order {
    pub tenant_id: TenantId,
    pub job_id: TrainingJobId,
    /// Counts the submissions of this job. It makes the provider's view deterministic, together with the job id.
    pub attempt: i32,
    pub submitted_at: Time,
    pub base_model: String,
    pub target_model_name: String,
    pub parameters: Parameters,
    pub training: TrainingFile,
    /// Absent when every sample fell on one side of the split.
    pub held_out: Option<TrainingFile>,
    pub connection: TrainerConnection,
}

/// One side of a dataset's split in the object store: JSON lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingFile {
    /// Its key in [`crate::platform::object_store::Files`], which begins with the tenant.
    pub key: String,
    pub sha256: String,
    pub bytes: u64,
    pub samples: u64,
}

/// A tenant's connection to a provider. It holds a secret that must not be printed.
#[derive(Clone, Default)]
pub struct TrainerConnection {
    /// The default of the provider when absent.
    pub base_url: Option<String>,
    pub api_key: Option<String>,
}

impl std::fmt::Debug for TrainerConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// The state that a trainer stores between two calls, such as the provider's id of the job. It is opaque to all other
/// code. It is kept in the job's row, so it must stay small (a few KiB).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrainerState(pub Value);

/// An accepted submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// The provider's id of the job.
    pub external_id: String,
    pub state: TrainerState,
}

/// The result of one observation of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingObservation {
    /// The state to store. The next observation starts from it.
    pub state: TrainerState,
    pub phase: TrainingPhase,
    /// 0..1, if the provider reports it.
    pub progress: Option<f64>,
    /// The new points of the curve since the given state, by step.
    pub curve: Vec<Point>,
    /// The new messages of the provider, in order.
    pub messages: Vec<String>,
}

/// The phase of a training.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainingPhase {
    /// Accepted, not started.
    Waiting,
    Training,
    Succeeded(TrainedArtifact),
    Failed(Failure),
    /// Cancelled, by us or at the provider.
    Cancelled,
    /// The provider does not know the job. Three such observations in a row fail the job.
    Unknown,
}

/// A point of a training curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Point {
    /// The step.
    pub step: i64,
    /// The training loss.
    pub loss: f64,
    /// The learning rate; null if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// The loss on the held-out samples; null if it was not measured at this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_loss: Option<f64>,
}

/// The result of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainedArtifact {
    /// How sessions name the model: `provider/model`. `None` if no provider can serve it yet (an adapter in a folder).
    pub model_identifier: Option<String>,
    /// The location of the result: the provider's name of it, a folder, or a URL.
    pub artifact: String,
    pub metrics: Metrics,
    /// The cost in micro-dollars, if the provider or its price list gives it.
    pub cost_micros: Option<i64>,
}

/// The state of the evaluation on the held-out split.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluation {
    /// In progress: poll again later, with this state.
    Running(TrainerState),
    Done {
        metrics: Metrics,
        samples: u64,
    },
    /// The trainer cannot evaluate: prompts are run through the model and scored instead.
    Unsupported,
}

/// A provider of training. The conformance suite in `tests/it/ports/trainer` holds for every implementation.
#[async_trait]
pub trait Trainer: Send + Sync {
    /// Checks whether the training is possible: known base model, supported method and parameters, sufficient
    /// credentials. Called before curation. A [`Failure`] of the category `user` names what to change.
    async fn check(
        &self,
        base_model: &str,
        parameters: &Parameters,
        connection: &TrainerConnection,
    ) -> Result<(), Failure>;

    /// Uploads the files and starts the training. A repeated call with the same `job_id` and `attempt` finds what the
    /// first call started. A [`Failure`] of the category `user` or `auth` means that this call started nothing.
    async fn submit(&self, order: &Order) -> Result<Submission, Failure>;

    /// Observes the training, without changing it. A transient failure means that the observation failed, not the
    /// training: that is [`TrainingPhase::Failed`].
    async fn observe(&self, order: &Order, state: &TrainerState) -> Result<TrainingObservation, Failure>;

    /// Cancels the training and its evaluation. Succeeds if it is unknown or has ended. If no state was recorded, finds
    /// the job by its deterministic name. Never creates a job in order to cancel it.
    async fn cancel(&self, order: &Order, state: &TrainerState) -> Result<(), Failure>;

    /// Evaluates the result on the held-out split. Called until it is no longer [`Evaluation::Running`].
    async fn evaluate(&self, order: &Order, state: &TrainerState) -> Result<Evaluation, Failure>;
}
