//! The secret that authenticates us at an agent's endpoint, encrypted for that agent alone.

use crate::kernel::{
    encryption::{self, Pepper, Purpose},
    error::Result,
    id::AgentId,
};

/// Encrypts the secret of an agent.
pub fn seal_secret(pepper: &Pepper, agent: AgentId, plain: &[u8]) -> Result<Vec<u8>> {
    encryption::seal_bytes(pepper, Purpose::Agent, agent.0.as_bytes(), plain)
}

/// Decrypts a secret that [`seal_secret`] encrypted for this agent.
pub fn open_secret(pepper: &Pepper, agent: AgentId, sealed: &[u8]) -> Result<Vec<u8>> {
    encryption::open_bytes(pepper, Purpose::Agent, agent.0.as_bytes(), sealed)
}
