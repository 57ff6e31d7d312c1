//! The whole of ioc in one process, and the private servers that it runs on.
//!
//! Read in this order: [`up`] (start and end), [`services`] (Postgres, Valkey and a runner as child processes),
//! [`supervise`] (how none of them outlives us), [`scripted_model`] (the model without a key), [`paths`] (where
//! programs and data are).

pub mod audit;
pub mod conformance;
mod console;
pub mod dashboard;
pub mod demo;
pub mod env_file;
mod log;
pub mod model_discovery;
pub mod paths;
pub mod scripted_model;
pub mod services;
pub mod sign_in_links;
pub mod supervise;
pub mod up;
pub mod with_services;
pub mod workers;
