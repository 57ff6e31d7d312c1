//! What may go wrong while a session runs, each with the real parts: whatever dies, comes back, doubles or gets lost, the
//! session ends once, in the right state, with all on record and nothing left behind.

mod agent;
pub(crate) mod fuse;
mod handover;
pub(crate) mod host;
mod killed;
mod leftover;
mod messages;
mod opencode;
mod postgres;
mod redis;
mod story;
mod waiting;
mod watched;
