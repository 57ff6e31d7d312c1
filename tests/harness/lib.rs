//! The harness of the tests.

pub mod a2a;
pub mod bucket;
pub mod caller;
pub mod cargo_lambda;
pub mod child_process;
pub mod database;
mod documented;
pub mod eap_agent;
pub mod faults;
mod fixtures;
pub mod issuer;
mod leftovers;
pub mod log_capture;
pub mod ministack;
pub mod moto;
pub mod openai_server;
pub mod openapi;
pub mod proxy;
pub mod push_endpoint;
pub mod runner;
pub mod samples;
pub mod sse;
pub mod stack;
mod streams;
pub mod superuser;
mod tenant_agents;
pub mod test_app;
pub mod training;
pub mod valkey;
pub mod websocket;

pub use caller::{Caller, Reply};
pub use fixtures::{PATIENCE, becomes, found, merged, until};
pub use test_app::{Options, PEPPER, Tenant, TestApp};

/// The Redis that all tests share; each keeps to names of its own in it.
pub fn redis_url() -> String {
    required("TEST_REDIS_URL")
}

/// The Postgres that all tests share, as a role that may make databases; each has one of its own in it.
pub fn postgres_url() -> String {
    required("TEST_DATABASE_URL")
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but their environment")]
fn required(name: &str) -> String {
    let missing = |_| panic!("{name} is not set: run `make check`, which starts what the tests need");
    std::env::var(name).unwrap_or_else(missing)
}

/// Shows what is logged, when `RUST_LOG` asks for it.
pub(crate) fn log() {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration but their environment")]
    if let Ok(filter) = std::env::var("RUST_LOG") {
        shared::kernel::telemetry::start_logging(shared::kernel::telemetry::LogFormat::Text, &filter);
    }
}
