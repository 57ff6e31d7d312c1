//! The claims about ioc, in one test binary that mirrors the tree.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod local;
mod opencode;
