//! Tenants, their users, credentials and limits, and the audit log.

pub mod audit;
pub mod auth;
pub mod concurrent_calls;
pub mod idempotency;
pub mod rate_limits;
pub mod secrets;
pub mod services;
pub mod tenants;
pub mod users;
