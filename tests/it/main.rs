//! The claims about ioc, in one test binary that mirrors the tree.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and shows the figures it took")]

mod docs;
mod host;
mod identity;
mod isolation;
mod local;
mod lock;
mod ports;
mod problems;
mod quota;
mod rules;
mod sessions;
mod turns;
