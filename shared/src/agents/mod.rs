//! Agents: their registry, the marketplace between tenants, the runners on which they work, and one client per agent
//! protocol behind one contract.

pub mod a2a_client;
pub mod contract;
pub mod eap;
pub mod environments;
pub mod manual;
pub mod marketplace;
pub mod registry;
pub mod runners;
pub mod scripted;
pub mod services;
