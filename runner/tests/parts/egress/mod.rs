//! The proxy of a session in front of real servers.

mod connections;
mod policies;
pub(crate) mod support;
