//! The External Agent Protocol, spoken by agents as their authors would write them.

mod claim;
mod liveness;
mod progress;
mod push;
mod register;
mod result;
