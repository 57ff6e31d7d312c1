//! Each port's members, held to one suite.

mod queue;
mod queue_memory;
