//! The run engine: admits sessions, hands them to agents, observes them and cleans up. It is the only room that changes
//! several aggregates in one use case.
//!
//! Jobs enter by [`dispatch`], [`observe`], [`cleanup`] and [`admission`]; people by [`commands`]. Each module uses
//! only those before it: gate, admission, routing, server probe, follow-up; lease and commit; calls to agents,
//! interrupts, exhaustion, handover, failover, cleanup, observation; then what concerns a whole tenant or a removed
//! agent.

pub mod admission;
pub(crate) mod admission_gate;
mod agent_call;
pub mod agent_departure;
pub mod cleanup;
pub mod commands;
mod commit;
pub mod dispatch;
mod exhaustion;
pub mod failover;
mod follow_up;
mod handover;
mod interrupt;
pub(crate) mod lease;
mod model_resolution;
pub mod observe;
mod observed_run;
mod resume;
pub mod routing;
pub mod server_probe;
pub mod services;
mod session_wait;
pub mod tenant_removal;
pub mod tenant_suspension;
pub mod tenant_update;
mod unclaimed;
