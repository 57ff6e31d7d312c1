//! How a session ended: its result, or the error with its category and what to do next.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{agents::contract::redaction::redact_json, kernel::failure::Failure};

/// The outcome of an ended session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// The result that the agent or the user reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub result: Option<Value>,
    /// The error that ended the session; null without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// The share of the work that succeeded, 0 to 1; null if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// The confidence in the result, 0 to 1; null if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_score: Option<f64>,
}

impl Outcome {
    /// The outcome without secrets in its result. The error has none: a failure is redacted where it is created.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        self.result.iter_mut().for_each(redact_json);
        self
    }
}
