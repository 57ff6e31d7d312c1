//! The whole of ioc in one process, and the private servers that it runs on.
//!
//! Read in this order: [`up`] (the order of things), [`services`] (Postgres, Valkey and OpenCode as children), [`supervise`] (why none of them is ever
//! left behind), [`scripted_model`] (who thinks while there is no key), [`checkout`] (where programs and data are).

pub mod audit;
pub mod checkout;
pub mod conformance;
pub mod dashboard;
pub mod demo;
pub mod env_file;
mod log;
pub mod own_model;
mod say;
pub mod scripted_model;
pub mod services;
pub mod services_for;
pub mod supervise;
pub mod up;
pub mod workers;
