//! The stores that runtimes and trainers are built with.

use crate::{
    kernel::clock::Clock,
    platform::{object_store::Files, postgres::Db, redis::cache::Cache},
};

/// The stores that runtimes and trainers use.
pub struct Stores<'a> {
    pub db: &'a Db,
    pub cache: &'a Cache,
    pub files: &'a Files,
    pub clock: &'a Clock,
}
