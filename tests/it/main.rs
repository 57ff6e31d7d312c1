//! The claims about ioc, in one test binary that mirrors the tree.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and shows the figures it took")]

mod a2a;
mod access;
mod agent_tokens;
mod agents;
mod architecture;
mod audit;
mod authorizer;
mod contract;
mod datasets;
mod documents;
mod environments;
mod event_payloads;
mod experiments;
mod faults;
mod fine_tuning;
mod fuzz;
mod golden_sql;
mod hardening;
mod host;
mod idempotency;
mod identity;
mod isolation;
mod lambda;
mod live;
mod local;
mod lock;
mod models;
mod oidc;
mod openapi_document;
mod partitions;
mod ports;
mod problems;
mod queue_order;
mod quota;
mod random;
mod runner;
mod runner_on_aws;
mod runners;
mod secrets;
mod sessions;
mod state_machine;
mod tenancy;
