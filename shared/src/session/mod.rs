//! A coding session: its fields, its rules, its store and its use cases.

pub mod outcome;
pub mod usage;
pub mod workspace;
