//! The External Agent Protocol, spoken by agents as their authors would write them.

mod claim;
mod claimed_usage;
pub(crate) mod contract;
mod document;
mod examples;
mod liveness;
mod offers;
mod progress;
mod push;
mod register;
mod result;
mod returns;
mod session_wait;
mod spawn;
