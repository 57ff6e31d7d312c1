//! What the tests stand on.

pub mod ministack;
pub mod valkey;

/// The Redis that all tests share; each keeps to names of its own in it.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration but their environment")]
pub fn redis_url() -> String {
    std::env::var("TEST_REDIS_URL").expect("set TEST_REDIS_URL to a Redis or Valkey, such as redis://127.0.0.1:6379")
}
