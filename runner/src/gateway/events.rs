//! What a gateway reports to its runner.

use std::time::Duration;

use super::{protocol::Protocol, usage::TokenUsage};

/// One call that reached a provider.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCall {
    /// The name of the provider.
    pub provider: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The model that the request named.
    pub model: String,
    /// What the provider counted; none where it did not say.
    pub usage: Option<TokenUsage>,
    /// The HTTP status; 502 if the provider was not reached.
    pub status: u16,
    /// Whether the answer was read to its end, and not interrupted by the agent or the provider.
    pub complete: bool,
    /// From the request to the end of the answer.
    pub duration: Duration,
}

/// Something that the runner reports or acts on.
#[derive(Clone, Debug, PartialEq)]
pub enum GatewayEvent {
    /// A call has ended, also one that failed.
    ModelCall(ModelCall),
    /// A provider refused the key (401): a failure of category `auth`.
    AuthenticationFailed {
        /// The name of the provider.
        provider: String,
    },
    /// A provider asked to wait (429 or 529).
    RateLimited {
        /// The name of the provider.
        provider: String,
        /// The HTTP status.
        status: u16,
        /// How long, if the provider said so.
        retry_after: Option<Duration>,
    },
    /// The agent asked for a model that the session may not use; no provider was asked.
    ModelRefused {
        /// The model that the request named, at most 200 characters.
        model: String,
    },
}
