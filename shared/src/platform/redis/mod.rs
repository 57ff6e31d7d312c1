//! Redis: a cache of hints, and the fair lock. Losing its data costs time, never correctness.

pub mod cache;
pub mod lock;
