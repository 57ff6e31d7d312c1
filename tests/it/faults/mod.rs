//! What may go wrong while a session runs, each with the real parts: whatever dies, comes back, doubles or gets lost,
//! the session ends once, in the right state, with all on record and nothing left behind.

mod agent;
mod event_storm;
mod handover;
pub(crate) mod host;
pub(crate) mod kill_points;
mod killed;
mod messages;
mod poison;
mod postgres;
mod redis;
mod runner;
mod scenario;
mod waiting;
mod workspace_release;
