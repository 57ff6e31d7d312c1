//! Agents: who gets the work, and what becomes of it.

mod docs;
mod failover;
mod figures;
mod marketplace;
mod registry;
mod routing;
