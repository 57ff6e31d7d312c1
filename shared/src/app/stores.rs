//! The stores that runtimes and trainers are built with.

use crate::{
    agents::eap::server::task_notifier::TaskNotifier,
    kernel::clock::Clock,
    platform::{object_store::Files, postgres::Db},
};

/// The stores that runtimes and trainers use, and how agents are notified.
pub struct Stores<'a> {
    pub db: &'a Db,
    pub notifier: &'a TaskNotifier,
    pub files: &'a Files,
    pub clock: &'a Clock,
}
