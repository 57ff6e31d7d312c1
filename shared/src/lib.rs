//! The domain of ioc, the control plane for autonomous coding sessions.

pub mod cache;
pub mod clock;
pub mod error;
pub mod id;
pub mod job;
pub mod lock;
pub mod queue;
pub mod runtime;
pub mod session;
