//! Response types of the files and fine-tuning jobs API. Other servers omit fields, so all that we can do without are
//! optional.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A page of a list, newest first.
#[derive(Deserialize)]
pub(super) struct OpenaiPage<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// An item of a list.
pub(super) trait ListedObject {
    fn id(&self) -> &str;
    /// In seconds; 0 if absent.
    fn created_at(&self) -> i64;
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct File {
    pub(super) id: String,
    #[serde(default)]
    created_at: i64,
    #[serde(default)]
    pub(super) filename: String,
    pub(super) bytes: Option<u64>,
    pub(super) status: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct OpenaiJob {
    pub(super) id: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) created_at: i64,
    pub(super) finished_at: Option<i64>,
    pub(super) fine_tuned_model: Option<String>,
    pub(super) training_file: Option<String>,
    pub(super) trained_tokens: Option<i64>,
    pub(super) metadata: Option<Map<String, Value>>,
    pub(super) error: Option<Trouble>,
}

impl OpenaiJob {
    pub(super) fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "succeeded" | "failed" | "cancelled")
    }
}

/// The error of a call or a job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Trouble {
    /// A text or, for some servers, a number.
    pub(super) code: Option<Value>,
    pub(super) message: Option<String>,
}

impl Trouble {
    pub(super) fn code(&self) -> &str {
        self.code.as_ref().and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OpenaiRefusal {
    pub(super) error: Trouble,
}

#[derive(Deserialize)]
pub(super) struct OpenaiEvent {
    pub(super) id: String,
    #[serde(default)]
    pub(super) created_at: i64,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) data: Option<Figures>,
}

/// The metrics of a step.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Figures {
    pub(super) step: Option<i64>,
    pub(super) total_steps: Option<i64>,
    pub(super) train_loss: Option<f64>,
    pub(super) learning_rate: Option<f64>,
    pub(super) valid_loss: Option<f64>,
    pub(super) full_valid_loss: Option<f64>,
    pub(super) valid_mean_token_accuracy: Option<f64>,
    pub(super) full_valid_mean_token_accuracy: Option<f64>,
}

impl Figures {
    /// The loss on the whole held-out file if available, else on a batch of it.
    pub(super) fn held_out_loss(&self) -> Option<f64> {
        self.full_valid_loss.or(self.valid_loss).filter(|loss| loss.is_finite())
    }

    pub(super) fn accuracy(&self) -> Option<f64> {
        self.full_valid_mean_token_accuracy.or(self.valid_mean_token_accuracy).map(|share| share.clamp(0.0, 1.0))
    }
}

#[derive(Deserialize)]
pub(super) struct OpenaiCheckpoint {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    created_at: i64,
    #[serde(default)]
    pub(super) step_number: i64,
    #[serde(default)]
    pub(super) metrics: Figures,
}

macro_rules! listed {
    ($($kind:ident)+) => {
        $(impl ListedObject for $kind {
            fn id(&self) -> &str {
                &self.id
            }

            fn created_at(&self) -> i64 {
                self.created_at
            }
        })+
    };
}

listed!(OpenaiCheckpoint OpenaiEvent File OpenaiJob);
