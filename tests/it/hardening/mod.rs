//! What keeps callers from harming others: limits, bounds, headers, what we call out to, and what is kept out of logs.

mod bounds;
mod canary;
mod database;
mod headers;
mod limits;
mod outbound;
