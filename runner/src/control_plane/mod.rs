//! The control plane, called by the External Agent Protocol (`docs/external-agent-protocol.md`) and its part for
//! runners (`docs/runners.md`).
//!
//! [`runner_client`] makes the calls of the runner itself, and [`client`] those about tasks, as one of its agents;
//! [`wire`] and [`environment`] hold what is sent and received, [`identity`] keeps what the runner is to its control
//! plane, and [`signals`] says when there is something to ask for.

pub mod client;
pub mod credential;
pub mod environment;
pub mod error;
pub mod identity;
pub mod runner_client;
pub mod signal_connection;
pub mod signals;
pub mod wire;

pub use self::{
    client::ControlPlane,
    credential::SharedCredential,
    error::{CallError, CallFailure},
    identity::RunnerIdentity,
    runner_client::RunnerClient,
    signal_connection::SignalConnection,
    signals::RunnerSignals,
};
