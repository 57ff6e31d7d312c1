//! The metrics of a training, stored with the model version that it produced.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The metrics of a training. Values are null if the provider does not report them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Metrics {
    /// The last training loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_loss: Option<f64>,
    /// The loss on the held-out samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_loss: Option<f64>,
    /// The accuracy, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The duration of the training in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_duration_seconds: Option<f64>,
    /// The number of processed tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_processed: Option<i64>,
}
