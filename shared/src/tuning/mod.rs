//! Fine-tuning: a job curates a dataset, has a provider train on it, measures the result and registers it as a model version.
//!
//! [`status`] is the table of states, [`draft`] parses what callers send, [`verbs`] and [`progress`] decide what a call or
//! a step changes (pure), [`store`] is the SQL, [`service`] the use cases of people, [`step`] runs what is due.

pub mod change;
pub mod draft;
pub mod event;
pub mod progress;
pub mod prompts;
pub mod provider;
pub mod service;
pub mod status;
pub mod step;
pub mod store;
pub(crate) mod tidy;
pub mod verbs;
mod work;

use std::{sync::Arc, time::Duration};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    clock::Time,
    id::{DatasetId, ModelVersionId, TenantId, TrainingJobId},
    job::Job,
    model::retirement,
    session::outcome::{Category, Failure},
    trainer::{Metrics, Parameters, Provider, Trained, TrainerState, TrainingFile},
};

use self::status::Status;

/// How often in a row a try may fail for the moment before the job fails.
pub const MAX_TRIES: i32 = 12;
/// How often in a row a provider may ask to slow down.
pub const MAX_WAITS: i32 = 60;
/// How many looks in a row may find no job before the provider has lost it.
pub const MAX_UNKNOWN_LOOKS: i32 = 3;
/// How many steps in a row may be broken off, by crashes or time limits, before the job fails.
pub const MAX_BROKEN_OFF: i32 = 10;

/// What can be set of fine-tuning.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Jobs that a tenant may have started at once.
    pub jobs_per_tenant: i64,
    /// The providers that jobs may name, the one first that is meant where none is named.
    pub offered: Arc<[Provider]>,
    /// How long a provider may have a job.
    pub longest: Duration,
    pub pace: Pace,
}

impl Default for Settings {
    fn default() -> Self {
        let longest = Duration::from_hours(7 * 24);
        Self { jobs_per_tenant: 5, offered: Arc::new([Provider::Openai]), longest, pace: Pace::default() }
    }
}

impl Settings {
    pub fn offers(&self, provider: Provider) -> bool {
        self.offered.contains(&provider)
    }
}

/// How fast a training is looked at, and how soon what failed for the moment is tried again.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The pause before the first look; it grows by half with each.
    pub look_first: Duration,
    pub look_longest: Duration,
    /// The pause before the first new try; it doubles with each.
    pub retry_first: Duration,
    pub retry_longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look_first: Duration::from_secs(10),
            look_longest: Duration::from_mins(2),
            retry_first: Duration::from_secs(10),
            retry_longest: Duration::from_mins(10),
        }
    }
}

impl Pace {
    /// The pause after a look, from the one before it.
    pub fn next_look(&self, last: Duration) -> Duration {
        (last + last / 2).clamp(self.look_first, self.look_longest)
    }

    /// The pause after so many tries in a row that failed.
    pub fn next_try(&self, tries: i32) -> Duration {
        let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(0).min(20);
        self.retry_first.saturating_mul(2_u32.pow(doublings)).min(self.retry_longest)
    }
}

/// A dataset as a job uses it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    pub id: DatasetId,
    /// Of all its bytes, in hexadecimal.
    pub sha256: String,
    pub training: TrainingFile,
    pub held_out: Option<TrainingFile>,
}

/// How the result of a training was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    pub by: MeasuredBy,
    /// Of the held-out samples.
    pub samples: u64,
    /// Why it was not measured, where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredBy {
    /// The trainer did.
    Trainer,
    /// The prompts of held-out samples were run through the model, and its answers compared with theirs.
    Prompts,
    /// It was not possible.
    Nobody,
}

/// A training job, as its row stands.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingJob {
    pub tenant_id: TenantId,
    pub id: TrainingJobId,
    pub base_model: String,
    /// As it is known now: noted of the base model, not of the job.
    pub base_model_retires_on: Option<NaiveDate>,
    pub target_model_name: String,
    pub provider: Provider,
    pub parameters: Parameters,
    /// What the dataset is made by, as it was sent and found good.
    pub recipe: Value,
    pub status: Status,
    pub status_changed_at: Time,
    pub attempt: i32,
    pub error: Option<Failure>,
    pub dataset: Option<Samples>,
    pub submitted_at: Option<Time>,
    pub external_id: Option<String>,
    pub trainer_state: Option<TrainerState>,
    pub stopping: bool,
    pub progress: Option<f64>,
    pub polled_at: Option<Time>,
    pub trained: Option<Trained>,
    pub metrics: Metrics,
    pub evaluation: Option<Measured>,
    pub model: Option<(ModelVersionId, String)>,
    pub cost_micros: i64,
    pub fence: i64,
    pub lease_until: Option<Time>,
    pub next_step_at: Option<Time>,
    pub look_pause: Duration,
    pub tries: i32,
    pub unknown_looks: i32,
    pub broken_off: i32,
    pub last_event_seq: i64,
    pub version: i64,
    pub created_by: Actor,
    pub created_at: Time,
    pub updated_at: Time,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
}

impl TrainingJob {
    /// What is to be told of its base model: that it is retired, or soon is.
    pub fn warning(&self, now: Time) -> Option<String> {
        retirement::warning(&self.base_model, self.base_model_retires_on, now)
    }

    /// Whether its next step is a look at the provider.
    pub fn polls(&self) -> bool {
        self.status == Status::Running
    }

    /// The doorbell of its next step. What lies far ahead is left to the sweep: no message lives that long.
    pub fn bell(&self, now: Time) -> Option<(Job, Duration)> {
        let after = (self.next_step_at? - now).to_std().unwrap_or(Duration::ZERO);
        let job = bell(self.tenant_id, self.id, self.polls());
        (after <= crate::queue::MAX_DELAY).then_some((job, after))
    }
}

/// What is rung for a job whose step is due.
pub fn bell(tenant_id: TenantId, id: TrainingJobId, polls: bool) -> Job {
    if polls { Job::poll_training(tenant_id, id) } else { Job::train(tenant_id, id) }
}

/// A failure with the words of fine-tuning for what to do about it, unless it has words of its own.
pub fn in_our_words(mut failure: Failure) -> Failure {
    if failure.remedy == failure.category.remedy() {
        remedy(failure.category).clone_into(&mut failure.remedy);
    }
    failure
}

const fn remedy(category: Category) -> &'static str {
    match category {
        Category::Transient | Category::Timeout => {
            "Retry the job; the provider or the network was down for the moment."
        }
        Category::RateLimit => "Retry the job later, or have the provider raise its limit.",
        Category::Auth => "Set a good key for the provider under /fine-tuning/providers, then retry the job.",
        Category::Agent => "Read the job's events for what the provider said, then retry, or choose another provider.",
        Category::User => "Correct what the message names, in a new job; a job's configuration does not change.",
        Category::Policy => "Ask who runs this ioc to allow it, or choose another provider.",
        Category::Budget => "Raise the provider's spend limit, then retry the job.",
        Category::Internal => "Retry the job; if it stays, report the job's id.",
    }
}

/// A failure of this module's own, with what to do about it.
pub(crate) fn failure(category: Category, code: &str, message: impl Into<String>, remedy: &str) -> Failure {
    let mut failure = Failure::new(category, code, message);
    remedy.clone_into(&mut failure.remedy);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_due_ten_seconds_after_submission_and_back_off_to_two_minutes() {
        let pace = Pace::default();
        let mut pauses = vec![pace.next_look(Duration::ZERO)];
        for _ in 0..9 {
            pauses.push(pace.next_look(pauses[pauses.len() - 1]));
        }
        assert_eq!(pauses[0], Duration::from_secs(10));
        assert_eq!(pauses[1], Duration::from_secs(15));
        assert!(pauses.is_sorted());
        assert_eq!(pauses[9], Duration::from_mins(2));
    }

    #[test]
    fn tries_back_off_by_doubling_to_the_longest() {
        let pace = Pace::default();
        let pauses: Vec<_> = [1, 2, 3, 7, 12, i32::MAX].map(|tries| pace.next_try(tries).as_secs()).into();
        assert_eq!(pauses, [10, 20, 40, 600, 600, 600]);
    }

    #[test]
    fn a_failure_keeps_its_own_remedy_and_else_gets_one_of_fine_tuning() {
        let plain = in_our_words(Failure::new(Category::Auth, "PROVIDER_AUTH", "It answers with 401."));
        assert!(plain.remedy.contains("/fine-tuning/providers"), "{}", plain.remedy);
        let own = failure(Category::User, "NO_SAMPLES", "No sample is left.", "Widen the recipe.");
        assert_eq!(in_our_words(own.clone()), own);
    }
}
