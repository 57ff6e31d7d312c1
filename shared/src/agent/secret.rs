//! The secret that proves us at an agent's endpoint, sealed: the database never holds it in clear.
//!
//! The key comes from the pepper, which the database does not hold; the agent's id is authenticated with it, so that a
//! sealed secret that is moved to another agent's row cannot be opened there.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use sha2::{Digest, Sha256};

use crate::{
    auth::key::Pepper,
    error::{Error, Result},
    id::AgentId,
};

const NONCE: usize = 12;

/// Seals the secret of an agent.
pub fn seal(pepper: &Pepper, agent: AgentId, plain: &[u8]) -> Result<Vec<u8>> {
    let mut text = plain.to_vec();
    let sealed = key(pepper)?.seal_in_place_append_tag(Aad::from(agent.0.as_bytes()), &mut text);
    let nonce = sealed.map_err(|_| Error::internal("an agent's secret could not be sealed"))?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

/// Opens what [`seal`] made for this agent.
pub fn open(pepper: &Pepper, agent: AgentId, sealed: &[u8]) -> Result<Vec<u8>> {
    let broken = || Error::internal("an agent's secret cannot be opened; was the pepper changed?");
    let (nonce, text) = sealed.split_at_checked(NONCE).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut text = text.to_vec();
    let opened = key(pepper)?.open_in_place(nonce, Aad::from(agent.0.as_bytes()), &mut text).map_err(|_| broken())?;
    Ok(opened.to_vec())
}

fn key(pepper: &Pepper) -> Result<RandomizedNonceKey> {
    let mut hash = Sha256::new();
    hash.update(b"secrets of agents\0");
    hash.update(&pepper.0);
    RandomizedNonceKey::new(&AES_256_GCM, &hash.finalize()).map_err(|_| Error::internal("a key of the wrong length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_agent_and_pepper_alone() {
        let (pepper, agent) = (Pepper(vec![7; 32]), AgentId::new());
        let sealed = seal(&pepper, agent, b"hush").unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        assert_ne!(sealed, seal(&pepper, agent, b"hush").unwrap(), "no two seals are alike");
        assert_eq!(open(&pepper, agent, &sealed).unwrap(), b"hush");
        for (pepper, agent, sealed) in [
            (&pepper, AgentId::new(), sealed.as_slice()),
            (&Pepper(vec![8; 32]), agent, sealed.as_slice()),
            (&pepper, agent, &sealed[..sealed.len() - 1]),
            (&pepper, agent, b"short"),
        ] {
            open(pepper, agent, sealed).unwrap_err();
        }
    }
}
