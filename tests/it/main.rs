//! The claims about ioc, in one test binary that mirrors the tree.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and shows the figures it took")]

mod a2a;
mod access;
mod agent_tokens;
mod agents;
mod audit;
mod authorizer;
mod contract;
mod datasets;
mod docs;
mod experiments;
mod faults;
mod fuzz;
mod hardening;
mod host;
mod house;
mod idempotency;
mod identity;
mod isolation;
mod lambda;
mod live;
mod local;
mod lock;
mod models;
mod oidc;
mod opencode;
mod ports;
mod problems;
mod quota;
mod rules;
mod sessions;
mod tenancy;
mod tuning;
mod turns;
