//! The runner: asks the control plane for work, prepares a workspace, runs a coding agent in a sandbox, streams what
//! happens, delivers the work, and leaves nothing.
//!
//! Read in this order: [`service`] (claims work), [`enrolment`] and [`status`] (what it is, and does, to the control
//! plane), [`job`] (one task from its claim to its result), then its parts: [`workspace`] (git), [`sandbox`],
//! [`gateway`] (the way to a model), [`egress`] (the way to the network), [`mcp`] (the tools of every agent),
//! [`programs`] and [`acp`] (the agents), [`control_plane`] (the calls).

pub mod acp;
mod clock;
pub mod control_plane;
pub mod doctor;
pub mod egress;
pub mod enrolment;
pub mod gateway;
pub mod job;
pub mod job_gauge;
pub mod mcp;
pub mod metrics;
pub mod programs;
pub mod sandbox;
pub mod secret_mask;
pub mod service;
pub mod settings;
pub mod status;
pub mod workspace;
