//! Types and pure functions that every room uses. They depend on no other room.

pub mod actor;
pub mod backoff;
pub mod calendar;
pub mod canonical_json;
pub mod clock;
#[cfg(test)]
pub(crate) mod cost;
pub mod encryption;
pub mod error;
mod error_code;
pub mod failure;
pub mod id;
pub mod lenient_json;
pub mod panic;
pub mod redact;
pub mod session_type;
pub mod telemetry;
pub mod text;
pub mod usage;
pub mod validation;
