//! Agents: who gets the work, and what becomes of it.

mod breakers;
mod docs;
pub(crate) mod eap;
mod failover;
mod marketplace;
mod performance;
mod registry;
mod routing;
mod trust;
