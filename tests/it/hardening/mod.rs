//! Protection of callers from each other: limits, bounds, headers, outbound calls, and secrets in logs.

mod bounds;
mod canary;
mod compression;
mod database;
mod headers;
mod hostile_text;
mod limits;
mod outbound;
mod shares;
