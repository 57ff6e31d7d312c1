//! The model registry, and experiments that compare models on live sessions.

pub mod experiments;
pub mod registry;
