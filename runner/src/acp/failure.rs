//! How work with an agent fails.

use std::fmt;

/// Which side has to act after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCategory {
    /// The person who asked for the work.
    User,
    /// A rule forbids it.
    Policy,
    /// A credential is missing or refused.
    Auth,
    /// The agent's program is at fault.
    Agent,
    /// The same may succeed later.
    Transient,
    /// The runner is at fault.
    Internal,
}

/// Why work with an agent failed. [`as_str`](Self::as_str) is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentFailureCode {
    /// The program ended, or closed its output.
    Exited,
    /// It broke the protocol beyond what can be read leniently.
    Protocol,
    /// It did not answer `initialize`, `session/new` or the like in time.
    StartTimeout,
    /// It did not end its turn after it was cancelled, or no longer reads its input.
    Unresponsive,
    /// It answered a request with an error.
    Refused,
    /// It asks for a sign-in.
    AuthRequired,
    /// It does not offer what was asked for, such as a model.
    Unsupported,
    /// A turn is running, and agents work on one at a time.
    Busy,
    /// The runner used the connection before it had a session.
    NoSession,
}

impl AgentFailureCode {
    /// The stable text of the code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exited => "AGENT_EXITED",
            Self::Protocol => "AGENT_PROTOCOL",
            Self::StartTimeout => "AGENT_START_TIMEOUT",
            Self::Unresponsive => "AGENT_UNRESPONSIVE",
            Self::Refused => "AGENT_REFUSED",
            Self::AuthRequired => "AGENT_AUTH_REQUIRED",
            Self::Unsupported => "AGENT_UNSUPPORTED",
            Self::Busy => "AGENT_BUSY",
            Self::NoSession => "AGENT_NO_SESSION",
        }
    }

    /// Which side has to act.
    pub fn category(self) -> FailureCategory {
        match self {
            Self::Exited | Self::Protocol | Self::StartTimeout | Self::Unresponsive | Self::Refused => {
                FailureCategory::Agent
            }
            Self::AuthRequired => FailureCategory::Auth,
            Self::Unsupported => FailureCategory::User,
            Self::Busy | Self::NoSession => FailureCategory::Internal,
        }
    }
}

impl fmt::Display for AgentFailureCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A failure of work with an agent. Its texts come from the agent in part: redact secrets before they are shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AgentFailure {
    /// The stable code.
    pub code: AgentFailureCode,
    /// A sentence for people. For an agent that exited it ends with the last line of `error_output`.
    pub message: String,
    /// The last lines that the agent wrote to its standard error output, oldest first.
    pub error_output: Vec<String>,
}

impl AgentFailure {
    /// A failure without lines of the agent.
    pub(super) fn new(code: AgentFailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), error_output: Vec::new() }
    }

    /// Which side has to act.
    pub fn category(&self) -> FailureCategory {
        self.code.category()
    }
}
