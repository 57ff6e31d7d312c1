//! The control plane, called by the External Agent Protocol (`docs/external-agent-protocol.md`).
//!
//! [`client`] makes the calls, [`wire`] holds what is sent and received, and [`identity`] keeps the agents that this
//! runner has registered.

pub mod client;
pub mod error;
pub mod identity;
pub mod wire;

pub use self::{
    client::ControlPlane,
    error::{CallError, CallFailure},
    identity::AgentIdentity,
};
