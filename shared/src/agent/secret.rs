//! The secret that proves us at an agent's endpoint, sealed for that agent alone.

use crate::{
    auth::key::Pepper,
    error::Result,
    id::AgentId,
    seal::{self, Purpose},
};

/// Seals the secret of an agent.
pub fn seal(pepper: &Pepper, agent: AgentId, plain: &[u8]) -> Result<Vec<u8>> {
    seal::seal(pepper, Purpose::Agent, agent.0.as_bytes(), plain)
}

/// Opens what [`seal`] made for this agent.
pub fn open(pepper: &Pepper, agent: AgentId, sealed: &[u8]) -> Result<Vec<u8>> {
    seal::open(pepper, Purpose::Agent, agent.0.as_bytes(), sealed)
}
