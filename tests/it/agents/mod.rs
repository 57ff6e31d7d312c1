//! Agents: who gets the work, and what becomes of it.

mod docs;
pub(crate) mod external;
mod failover;
mod figures;
mod marketplace;
mod registry;
mod routing;
