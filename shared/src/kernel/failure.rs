//! Failures of runs: a category, its retryability and its remedy. Sessions, agents and trainers share them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::{lenient_json, redact};

/// The category of an error. It determines the reaction.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The network or a server failed temporarily. Retried automatically.
    Transient,
    /// The model provider limits the rate.
    RateLimit,
    /// A credential of the agent or its provider is missing or refused.
    Auth,
    /// The agent itself failed.
    Agent,
    /// The input is invalid.
    User,
    /// A policy forbids it.
    Policy,
    /// A spend or token limit was reached.
    Budget,
    /// A time limit was exceeded.
    Timeout,
    /// An internal error of the product.
    Internal,
}

impl Category {
    /// Whether an unchanged session may be retried.
    pub const fn retryable(self) -> bool {
        matches!(self, Self::Transient | Self::RateLimit | Self::Agent | Self::Timeout | Self::Internal)
    }

    /// Whether it counts against the agent.
    pub const fn is_of_agent(self) -> bool {
        matches!(self, Self::Transient | Self::Auth | Self::Agent | Self::Timeout)
    }

    /// The remedy for a person.
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

/// The longest message that is examined for secrets, in bytes: more than is kept, which a secret may straddle.
const EXAMINED: usize = 16 << 10;

/// The code of a failure whose cause is the loss of the agent, not the work.
pub const AGENT_LOST: &str = "AGENT_LOST";

/// The codes of failures to reach an agent's server, by whichever protocol.
const SERVER_FAULTS: [&str; 3] = ["AGENT_UNREACHABLE", "AGENT_TIMEOUT", "AGENT_ERROR"];

/// The code of a failure whose cause is an answer of an agent that came whole and is not understood.
pub const AGENT_PROTOCOL: &str = "AGENT_PROTOCOL";

/// The code of a failure that an external agent reports itself.
pub const AGENT_FAILED: &str = "AGENT_FAILED";

/// An error of a session or a training job.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// The category of the error. It determines the reaction.
    pub category: Category,
    /// A stable code in upper case, such as `AGENT_UNREACHABLE` or `PROVIDER_ERROR`.
    pub code: String,
    /// A description of the error, for people.
    pub message: String,
    /// Whether a retry may succeed.
    pub retryable: bool,
    /// What people can do about it.
    pub remedy: String,
    /// The delay that the failing service asked for, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

impl Failure {
    /// Creates a failure; retryability and remedy follow from the category. The message may quote an agent, so secrets
    /// and NULs are removed, and it is cut to 2000 characters.
    pub fn new(category: Category, code: impl Into<String>, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        message.truncate(message.floor_char_boundary(EXAMINED));
        let message = redact::redact_owned(message);
        Self {
            category,
            code: redact::redact_owned(code.into()),
            message: message.chars().filter(|c| *c != '\0').take(2000).collect(),
            retryable: category.retryable(),
            remedy: category.remedy().to_owned(),
            retry_after_seconds: None,
        }
    }

    /// Whether the agent's server failed, not the work. It is no evidence about the work.
    pub fn is_server_fault(&self) -> bool {
        self.category == Category::Transient && SERVER_FAULTS.contains(&self.code.as_str())
    }

    /// Creates the failure for an answer of an agent that came whole and is not understood. It quotes how the answer
    /// begins.
    pub fn not_understood(why: &str, answer: &[u8]) -> Self {
        let beginning = lenient_json::quote_beginning(answer);
        let message = format!("The agent's answer is not understood: {why}. It begins with: {beginning}");
        Self::new(Category::Agent, AGENT_PROTOCOL, message)
    }

    /// Creates a transient failure.
    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Category::Transient, code, message)
    }
}
