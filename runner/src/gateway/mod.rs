//! The model gateway of a session: the only network that an agent has.
//!
//! It listens on a Unix socket, replaces the caller's credential by the provider's key, which therefore never enters
//! the sandbox, and passes requests and answers of four protocols through, streaming. After each call it reports what
//! the provider counted. Beside them it serves the routes that its owner adds; everything else is answered with 404.

mod body;
mod calls;
mod events;
mod headers;
mod listener;
mod protocol;
mod provider;
mod refusal;
mod request;
mod retry_after;
mod server;
mod sse;
mod usage;
mod usage_chunk;

pub use events::{GatewayEvent, ModelCall};
pub use protocol::Protocol;
pub use provider::{Credential, ModelAllowList, Provider, ProviderKey};
pub use server::{Gateway, GatewayError, GatewaySpec, build_upstream_client};
pub use usage::TokenUsage;
