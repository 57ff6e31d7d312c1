//! How a dataset becomes a model: one trait, a member per provider of training. Every call may be made again after a
//! crash, with the same arguments, and must then have the effect of one call.

pub mod aws;
pub mod carried;
pub mod command;
pub mod openai;
pub mod parameters;
mod samples;
pub mod settings;
pub mod simulated;
mod trouble;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    clock::Time,
    id::{TenantId, TrainingJobId},
    session::outcome::Failure,
};

pub use parameters::{Method, Parameters};
pub use settings::Settings;

/// Who trains.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Plays a training by its seed: for trying the pipeline, and for tests.
    Simulated,
    /// Whatever speaks OpenAI's files and fine-tuning jobs API.
    Openai,
    /// Amazon Web Services.
    Aws,
    /// A program on the machine of whoever runs ioc.
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

    /// Whether it may be asked for what pairs of a preferred and a rejected answer are needed for: a dataset holds one answer
    /// to each prompt, so the provider has to make the others.
    pub const fn makes_pairs(self) -> bool {
        matches!(self, Self::Command)
    }

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// Everything that a trainer needs to know of a job, and nothing else of it.
#[derive(Clone, Debug)]
pub struct Order {
    pub tenant_id: TenantId,
    pub job_id: TrainingJobId,
    /// Counts the submissions of this job; with the job's id it makes what the provider sees deterministic.
    pub attempt: i32,
    pub submitted_at: Time,
    pub base_model: String,
    pub target_model_name: String,
    pub parameters: Parameters,
    pub training: TrainingFile,
    /// Absent when every sample fell on one side of the split.
    pub held_out: Option<TrainingFile>,
    pub connection: Connection,
}

/// One side of a dataset's split, as it lies in the file store: JSON lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingFile {
    /// Its key in [`crate::files::Files`], which begins with the tenant.
    pub key: String,
    pub sha256: String,
    pub bytes: u64,
    pub samples: u64,
}

/// What a tenant set for a provider. It holds a secret that must not be printed.
#[derive(Clone, Default)]
pub struct Connection {
    /// The provider's own when absent.
    pub base_url: Option<String>,
    pub api_key: Option<String>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// What a trainer wants to remember between two calls: the provider's id of the job, what was seen of its events. Opaque
/// to everybody else; kept in the job's row, so it must stay small (a few KiB).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrainerState(pub Value);

/// What a provider accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// What the provider calls the job.
    pub external_id: String,
    pub state: TrainerState,
}

/// What a look at a training showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// To be stored with what is written of this look: the next one starts from it.
    pub state: TrainerState,
    pub phase: Phase,
    /// 0..1, where the provider tells.
    pub progress: Option<f64>,
    /// What is new of the curve since the state that was passed in, by step.
    pub curve: Vec<Point>,
    /// What the provider said since then, in order.
    pub messages: Vec<String>,
}

/// How far a training is.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Accepted, not begun.
    Waiting,
    Training,
    Succeeded(Trained),
    Failed(Failure),
    /// Called off, by us or at the provider itself.
    Cancelled,
    /// The provider does not know the job. Three looks in a row that show this end it as failed.
    Unknown,
}

/// One point of the training curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Point {
    pub step: i64,
    pub loss: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_loss: Option<f64>,
}

/// What came of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// How sessions name the result: `provider/model`. None when it can be served by nobody yet (an adapter in a folder).
    pub model_identifier: Option<String>,
    /// Where the result lies: the provider's name of it, a folder, a URL.
    pub artifact: String,
    pub metrics: Metrics,
    /// What it cost, in micro-dollars, where the provider or its price list tells.
    pub cost_micros: Option<i64>,
}

/// The figures of a training. Each is absent where the provider does not tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Metrics {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_loss: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_loss: Option<f64>,
    /// 0..1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_duration_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_processed: Option<i64>,
}

/// How the evaluation on the held-out split came out.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluation {
    /// It goes on: look again later, with this state.
    Running(TrainerState),
    Done {
        metrics: Metrics,
        samples: u64,
    },
    /// This trainer cannot evaluate: prompts are run through the model and scored instead.
    Unsupported,
}

/// A provider of training. The conformance suite in `tests/it/ports/trainer.rs` holds for every member.
#[async_trait]
pub trait Trainer: Send + Sync {
    /// Whether this could be trained at all: the base model is known, the method and each parameter can be had, and what
    /// the tenant set for the provider suffices. Asked before anything is curated. A [`Failure`] of the category `user`
    /// names what to change.
    async fn check(&self, base_model: &str, parameters: &Parameters, connection: &Connection) -> Result<(), Failure>;

    /// Hands the files over and begins. Called again with the same `job_id` and `attempt` it finds what it began and has
    /// the effect of one call. A [`Failure`] of the category `user` or `auth` says that this call began nothing.
    async fn submit(&self, order: &Order) -> Result<Submitted, Failure>;

    /// Looks at the training; changes nothing of it. A transient failure means "could not look", never "it failed": that is
    /// [`Phase::Failed`].
    async fn look(&self, order: &Order, state: &TrainerState) -> Result<Look, Failure>;

    /// Calls the training off, and what still measures its result. One that is unknown or over is no failure. With the
    /// default state, as nobody could note one, it is found by the order alone; what is not there is never made for it.
    async fn cancel(&self, order: &Order, state: &TrainerState) -> Result<(), Failure>;

    /// Measures the result on the held-out split; called until it is no longer [`Evaluation::Running`].
    async fn evaluate(&self, order: &Order, state: &TrainerState) -> Result<Evaluation, Failure>;
}
