//! Runners: enrolling them, the tasks that they share as the agents of a pool, and what becomes of those that are
//! silent, drained or removed.

mod client;
mod credentials;
mod enrolments;
mod management;
mod register;
mod signals;
mod silence;
mod tasks;

use serde_json::Value;

/// The items of a page.
pub(crate) fn items(page: &Value) -> &[Value] {
    page["items"].as_array().expect("a page")
}
