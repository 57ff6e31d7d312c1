//! Each port's members, held to one suite.

mod files;
mod queue;
mod queue_memory;
pub(crate) mod runtime;
mod trainer;
