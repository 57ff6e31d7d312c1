//! The domain of ioc, the control plane for autonomous coding sessions.
//!
//! Read in this order: [`session`] (what it is all about), [`runtime`] (how work reaches an agent), [`job`] (how work
//! goes on in the background).

pub mod clock;
pub mod error;
pub mod id;
pub mod job;
pub mod queue;
pub mod runtime;
pub mod session;
