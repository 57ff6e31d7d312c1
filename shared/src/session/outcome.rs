//! How a session ended: its result, or the error with its category and what to do next.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::redact;

/// Whose fault an error is, and so what follows from it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The network or a server failed for the moment; retried by itself.
    Transient,
    /// The model's provider asks to slow down.
    RateLimit,
    /// A credential of the agent or its provider is missing or refused.
    Auth,
    /// The agent itself failed.
    Agent,
    /// The input cannot be worked on.
    User,
    /// A rule forbade it.
    Policy,
    /// A spend or token limit was met.
    Budget,
    /// A time limit was met.
    Timeout,
    /// A fault of ours.
    Internal,
}

impl Category {
    /// Whether a retry of the session makes sense without a change to it.
    pub const fn retryable(self) -> bool {
        matches!(self, Self::Transient | Self::RateLimit | Self::Agent | Self::Timeout | Self::Internal)
    }

    /// Whether it tells something about the agent that had the work.
    pub const fn is_of_agent(self) -> bool {
        matches!(self, Self::Transient | Self::Auth | Self::Agent | Self::Timeout)
    }

    /// What a person can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Transient => "Retry the session; the agent or its network was down for the moment.",
            Self::RateLimit => "Retry later, or use a model or a key with a higher limit.",
            Self::Auth => "Renew the credential of the agent or of its model provider, then retry.",
            Self::Agent => "Read the last events, then retry, or fork from a checkpoint with a clearer prompt.",
            Self::User => "Correct the session's prompt, model or workspace and create it anew.",
            Self::Policy => "Ask who owns the rule, or change the prompt so that it is not met.",
            Self::Budget => "Raise the limit, then retry.",
            Self::Timeout => "Raise max_duration_seconds and retry, or split the work.",
            Self::Internal => "Retry; if it stays, report the session's id.",
        }
    }
}

/// The code of a failure that is not the work's: its agent was lost with it.
pub const AGENT_LOST: &str = "AGENT_LOST";

/// One error of a session, as its outcome and its events tell it. Also what an agent runtime fails with.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    pub category: Category,
    /// A stable word in upper case, such as `AGENT_UNREACHABLE` or `PROVIDER_ERROR`.
    pub code: String,
    pub message: String,
    pub retryable: bool,
    pub remedy: String,
    /// How long whoever refused asks to be left alone, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

impl Failure {
    /// A failure whose retryability and remedy follow from its category. The message is freed of
    /// secrets and NULs, as it may quote an agent, and cut to 2000 characters.
    pub fn new(category: Category, code: impl Into<String>, message: impl Into<String>) -> Self {
        let message = redact::owned(message.into());
        Self {
            category,
            code: code.into(),
            message: message.chars().filter(|c| *c != '\0').take(2000).collect(),
            retryable: category.retryable(),
            remedy: category.remedy().to_owned(),
            retry_after_seconds: None,
        }
    }

    /// The network or a server failed for the moment.
    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Category::Transient, code, message)
    }
}

/// What stands in `outcome` at the end of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// What the agent, or the person who drove it, says came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// 0..1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// 0..1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_score: Option<f64>,
}
