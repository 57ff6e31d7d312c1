//! What the tests stand on.

pub mod a2a;
mod agents;
pub mod bucket;
pub mod cargo_lambda;
pub mod database;
pub mod endpoint;
pub mod external;
pub mod faults;
pub mod fine_tuning;
pub mod issuer;
pub mod kept;
pub mod ministack;
pub mod moto;
pub mod openapi;
pub mod owner;
pub mod proxy;
pub mod samples;
mod shortcuts;
pub mod stack;
pub mod stream;
pub mod tuning;
pub mod valkey;
pub mod watch;
pub mod world;

pub use shortcuts::{PATIENCE, becomes, found, until};
pub use world::{Caller, Options, PEPPER, Reply, Tenant, World};

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
        shared::telemetry::start(shared::telemetry::Format::Text, &filter);
    }
}
