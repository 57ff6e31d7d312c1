//! The domain of ioc, the control plane for autonomous coding sessions.
//!
//! The rooms stand in the order in which they may use each other: each uses only those above it in this list.
//! `docs/architecture.md` explains them, and `tests/it/architecture/` holds the order.

pub mod a2a;
pub mod agents;
pub mod app;
pub mod engine;
pub mod events;
pub mod identity;
pub mod kernel;
pub mod models;
pub mod platform;
pub mod sessions;
pub mod training;
