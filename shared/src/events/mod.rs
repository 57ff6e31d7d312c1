//! The append-only event log and the live stream that delivers it to subscribers.

pub mod log;
pub mod stream;
