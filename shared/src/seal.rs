//! Secrets of tenants, sealed: the database never holds them in clear.
//!
//! The key comes from the pepper, which the database does not hold, and from what the secret is for; whose it is, is
//! authenticated with it, so that a sealed secret that is moved to another row cannot be opened there.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use sha2::{Digest, Sha256};

use crate::{
    auth::key::Pepper,
    error::{Error, Result},
};

const NONCE: usize = 12;

/// What secrets are for. Secrets of one purpose cannot be opened as those of another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    Agent,
    TrainingProvider,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Agent => b"secrets of agents\0",
            Self::TrainingProvider => b"keys of training providers\0",
        }
    }
}

/// Seals a secret of this owner.
pub fn seal(pepper: &Pepper, purpose: Purpose, owner: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let mut text = plain.to_vec();
    let sealed = key(pepper, purpose)?.seal_in_place_append_tag(Aad::from(owner), &mut text);
    let nonce = sealed.map_err(|_| Error::internal("a secret could not be sealed"))?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

/// Opens what [`seal`] made for this purpose and owner.
pub fn open(pepper: &Pepper, purpose: Purpose, owner: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let broken = || Error::internal("a secret cannot be opened; was the pepper changed?");
    let (nonce, text) = sealed.split_at_checked(NONCE).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut text = text.to_vec();
    let opened = key(pepper, purpose)?.open_in_place(nonce, Aad::from(owner), &mut text).map_err(|_| broken())?;
    Ok(opened.to_vec())
}

fn key(pepper: &Pepper, purpose: Purpose) -> Result<RandomizedNonceKey> {
    let mut hash = Sha256::new();
    hash.update(purpose.label());
    hash.update(&pepper.0);
    RandomizedNonceKey::new(&AES_256_GCM, &hash.finalize()).map_err(|_| Error::internal("a key of the wrong length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_purpose_owner_and_pepper_alone() {
        let pepper = Pepper(vec![7; 32]);
        let sealed = seal(&pepper, Purpose::Agent, b"one", b"hush").unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        assert_ne!(sealed, seal(&pepper, Purpose::Agent, b"one", b"hush").unwrap(), "no two seals are alike");
        assert_eq!(open(&pepper, Purpose::Agent, b"one", &sealed).unwrap(), b"hush");
        for (pepper, purpose, owner, sealed) in [
            (&pepper, Purpose::Agent, b"two", sealed.as_slice()),
            (&pepper, Purpose::TrainingProvider, b"one", &sealed),
            (&Pepper(vec![8; 32]), Purpose::Agent, b"one", &sealed),
            (&pepper, Purpose::Agent, b"one", &sealed[..sealed.len() - 1]),
            (&pepper, Purpose::Agent, b"one", b"short"),
        ] {
            open(pepper, purpose, owner, sealed).unwrap_err();
        }
    }
}
