//! The rules of a session's life: each transition decides, purely, what a command or a step changes.

pub mod agent_removed;
pub mod answer;
pub mod collection;
pub mod commands;
pub mod exhaustion;
mod metering;
pub mod offer;
pub mod run;
pub mod suspension;
mod transcript;
pub mod wait;
