//! Fine-tuning: a job curates a dataset, has a provider train on it, evaluates the result, and registers it as a model
//! version.
//!
//! [`status`] is the table of states, [`draft`] parses the input of callers, [`commands`] and [`progress`] decide the
//! changes of a call or a step (pure), [`store`] is the SQL, [`service`] holds the use cases, and [`step`] runs due
//! steps.

pub mod change;
pub mod commands;
pub(crate) mod dataset_gc;
pub mod draft;
pub mod event;
pub mod progress;
pub mod prompts;
pub mod provider;
mod run_step;
pub mod service;
pub mod status;
pub mod step;
pub mod store;
mod write;

use std::{sync::Arc, time::Duration};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    kernel::{
        actor::Actor,
        backoff::RetryPolicy,
        clock::Time,
        failure::{Category, Failure},
        id::{DatasetId, ModelVersionId, TenantId, TrainingJobId},
    },
    models::registry::{metrics::Metrics, retirement},
    platform::queue::job::Job,
    training::trainers::{Parameters, Provider, TrainedArtifact, TrainerState, TrainingFile},
};

use self::status::TrainingStatus;

/// How many attempts of a step may fail transiently in a row before the job fails.
pub const MAX_TRIES: i32 = 12;
/// How many times in a row a provider may impose a rate limit.
pub const MAX_WAITS: i32 = 60;
/// How many polls in a row may find no job before it counts as lost.
pub const MAX_UNKNOWN_LOOKS: i32 = 3;
/// How many steps in a row may be interrupted, by crashes or time limits, before the job fails.
pub const MAX_INTERRUPTED_STEPS: i32 = 10;

/// How many steps in a row may fail for a reason of their own before the job fails.
pub const MAX_FAILED_STEPS: i32 = 5;

/// The settings of fine-tuning.
#[derive(Clone, Debug)]
pub struct TrainingSettings {
    /// The most active jobs of a tenant.
    pub jobs_per_tenant: i64,
    /// The providers that jobs may name. The first is the default.
    pub offered: Arc<[Provider]>,
    /// How long a provider may take for a job.
    pub longest: Duration,
    pub pace: PollPolicy,
}

impl Default for TrainingSettings {
    fn default() -> Self {
        let longest = Duration::from_hours(7 * 24);
        Self { jobs_per_tenant: 5, offered: Arc::new([Provider::Openai]), longest, pace: PollPolicy::default() }
    }
}

impl TrainingSettings {
    pub fn offers(&self, provider: Provider) -> bool {
        self.offered.contains(&provider)
    }
}

/// The intervals of polls and retries.
#[derive(Clone, Copy, Debug)]
pub struct PollPolicy {
    /// The interval before the first poll. Each next interval is half as long again.
    pub first: Duration,
    pub longest: Duration,
    /// The delays before retries.
    pub retry: RetryPolicy,
}

impl Default for PollPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(10),
            longest: Duration::from_mins(2),
            retry: RetryPolicy::new(Duration::from_secs(10), Duration::from_mins(10)),
        }
    }
}

impl PollPolicy {
    /// The interval after a poll, from the previous interval.
    pub fn next_interval(&self, last: Duration) -> Duration {
        (last + last / 2).clamp(self.first, self.longest)
    }
}

/// The dataset of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobDataset {
    pub id: DatasetId,
    /// The hash of the whole dataset, in hexadecimal.
    pub sha256: String,
    pub training: TrainingFile,
    pub held_out: Option<TrainingFile>,
}

/// The evaluation of a trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Measured)]
pub struct EvaluationSummary {
    /// The way in which the model was evaluated.
    pub by: MeasuredBy,
    /// The number of held-out samples that were evaluated.
    pub samples: u64,
    /// Why the model was not evaluated; null if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The way in which a model was evaluated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredBy {
    /// By the trainer.
    Trainer,
    /// By running the prompts of held-out samples through the model and comparing its answers.
    Prompts,
    /// It could not be evaluated.
    Nobody,
}

/// A training job, as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingJob {
    pub tenant_id: TenantId,
    pub id: TrainingJobId,
    pub base_model: String,
    /// The current retirement date of the base model.
    pub base_model_retires_on: Option<NaiveDate>,
    pub target_model_name: String,
    pub provider: Provider,
    pub parameters: Parameters,
    /// The validated recipe of the dataset.
    pub recipe: Value,
    pub status: TrainingStatus,
    pub status_changed_at: Time,
    pub attempt: i32,
    pub error: Option<Failure>,
    pub dataset: Option<JobDataset>,
    pub submitted_at: Option<Time>,
    pub external_id: Option<String>,
    pub trainer_state: Option<TrainerState>,
    pub stopping: bool,
    pub progress: Option<f64>,
    pub polled_at: Option<Time>,
    pub trained: Option<TrainedArtifact>,
    pub metrics: Metrics,
    pub evaluation: Option<EvaluationSummary>,
    pub model: Option<(ModelVersionId, String)>,
    pub cost_micros: i64,
    pub schedule: StepSchedule,
    pub last_event_seq: i64,
    pub version: i64,
    pub created_by: Actor,
    pub created_at: Time,
    pub updated_at: Time,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
}

/// When the next step of a job is due, and how its last steps ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepSchedule {
    /// The fencing token: grows with every lease.
    pub fence: i64,
    pub lease_until: Option<Time>,
    /// `None` when no step is due.
    pub next_step_at: Option<Time>,
    /// The pause between two polls of the provider.
    pub poll_interval: Duration,
    /// Consecutive failures that may pass.
    pub transient_failures: i32,
    /// Consecutive polls in which the provider did not know the job.
    pub not_found_polls: i32,
    /// Consecutive steps that crashed or timed out.
    pub interrupted_steps: i32,
    /// Consecutive steps that failed for a reason of their own, such as a panic.
    pub failed_steps: i32,
}

impl TrainingJob {
    /// The warning when its base model is retired or soon will be.
    pub fn retirement_warning(&self, now: Time) -> Option<String> {
        retirement::retirement_warning(&self.base_model, self.base_model_retires_on, now)
    }

    /// Whether its next step polls the provider.
    pub fn polls_provider(&self) -> bool {
        self.status == TrainingStatus::Running
    }

    /// The queue job of its next step. A step beyond the longest queue delay is left to the reconciler.
    pub fn next_job(&self, now: Time) -> Option<(Job, Duration)> {
        let after = (self.schedule.next_step_at? - now).to_std().unwrap_or(Duration::ZERO);
        let job = step_job(self.tenant_id, self.id, self.polls_provider());
        (after <= crate::platform::queue::MAX_DELAY).then_some((job, after))
    }
}

/// The queue job for a step of a training job.
pub fn step_job(tenant_id: TenantId, id: TrainingJobId, polls: bool) -> Job {
    if polls { Job::poll_training(tenant_id, id) } else { Job::train(tenant_id, id) }
}

/// The failure with a remedy for fine-tuning, unless it has its own.
pub fn with_training_remedy(mut failure: Failure) -> Failure {
    if failure.remedy == failure.category.remedy() {
        training_remedy(failure.category).clone_into(&mut failure.remedy);
    }
    failure
}

const fn training_remedy(category: Category) -> &'static str {
    match category {
        Category::Transient | Category::Timeout => {
            "Retry the job; the provider or the network was down for the moment."
        }
        Category::RateLimit => "Retry the job later, or have the provider raise its limit.",
        Category::Auth => "Set a good key for the provider under /fine-tuning/providers, then retry the job.",
        Category::Agent => "Read the job's events for what the provider said, then retry, or choose another provider.",
        Category::User => "Correct what the message names, in a new job; a job's configuration does not change.",
        Category::Policy => "Ask the operator of ioc to allow it, or choose another provider.",
        Category::Budget => "Raise the provider's spend limit, then retry the job.",
        Category::Internal => "Retry the job; if it stays, report the job's id.",
    }
}

/// A failure with its own remedy.
pub(crate) fn job_failure(category: Category, code: &str, message: impl Into<String>, remedy: &str) -> Failure {
    let mut failure = Failure::new(category, code, message);
    remedy.clone_into(&mut failure.remedy);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_due_ten_seconds_after_submission_and_back_off_to_two_minutes() {
        let policy = PollPolicy::default();
        let mut pauses = vec![policy.next_interval(Duration::ZERO)];
        for _ in 0..9 {
            pauses.push(policy.next_interval(pauses[pauses.len() - 1]));
        }
        assert_eq!(pauses[0], Duration::from_secs(10));
        assert_eq!(pauses[1], Duration::from_secs(15));
        assert!(pauses.is_sorted());
        assert_eq!(pauses[9], Duration::from_mins(2));
    }

    #[test]
    fn tries_back_off_by_doubling_to_the_longest() {
        let policy = PollPolicy::default();
        let pauses: Vec<_> = [1, 2, 3, 7, 12, i32::MAX].map(|tries| policy.retry.retry_delay(tries).as_secs()).into();
        assert_eq!(pauses, [10, 20, 40, 600, 600, 600]);
    }

    #[test]
    fn a_failure_keeps_its_own_remedy_and_else_gets_one_of_fine_tuning() {
        let plain = with_training_remedy(Failure::new(Category::Auth, "PROVIDER_AUTH", "It answers with 401."));
        assert!(plain.remedy.contains("/fine-tuning/providers"), "{}", plain.remedy);
        let own = job_failure(Category::User, "NO_SAMPLES", "No sample is left.", "Widen the recipe.");
        assert_eq!(with_training_remedy(own.clone()), own);
    }
}
