//! The domain of ioc, the control plane for autonomous coding sessions.
//!
//! Read in this order: [`session`] (what it is all about), [`runtime`] (how work reaches an agent), [`dispatch`] and
//! [`observe`] (how a run goes on, step by step), [`db`] and [`queue`] (what it stands on), [`app`] (how it is put
//! together).

pub mod a2a;
mod admissions;
pub mod agent;
pub mod app;
pub mod audit;
pub mod auth;
pub mod cache;
pub mod clock;
pub mod config;
pub mod dataset;
pub mod db;
pub mod dispatch;
pub mod error;
pub mod event;
pub mod experiment;
pub mod external;
pub mod files;
pub mod health;
pub mod id;
pub mod idempotency;
pub mod job;
pub mod limits;
pub mod live;
pub mod lock;
pub mod migration;
pub mod model;
pub mod observe;
pub mod outbound;
pub mod queue;
pub mod redact;
pub mod runtime;
pub mod seal;
pub mod session;
pub(crate) mod step;
pub mod sweep;
pub mod telemetry;
pub mod tenant;
pub mod text;
pub mod tidy;
pub mod trainer;
pub mod tuning;
pub mod unit;
pub mod user;
