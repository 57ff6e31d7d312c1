//! Encryption of tenants' secrets. The database never holds them in plain text.
//!
//! The key is derived from the pepper, which the database does not hold, and from the purpose of the secret. The owner
//! is authenticated with it, so a sealed secret that is copied to another row cannot be opened there.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use sha2::{Digest, Sha256};

use crate::kernel::error::{Error, Result};

/// The key with which secrets are hashed. It comes from the configuration and is never in the database.
#[derive(Clone)]
pub struct Pepper(pub Vec<u8>);

const NONCE: usize = 12;

/// The purpose of a secret. A secret of one purpose cannot be opened for another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    Agent,
    TrainingProvider,
}

impl Purpose {
    const fn purpose_label(self) -> &'static [u8] {
        match self {
            Self::Agent => b"secrets of agents\0",
            Self::TrainingProvider => b"keys of training providers\0",
        }
    }
}

/// Encrypts a secret of this owner.
pub fn seal_bytes(pepper: &Pepper, purpose: Purpose, owner: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let mut text = plain.to_vec();
    let sealed = derive_key(pepper, purpose)?.seal_in_place_append_tag(Aad::from(owner), &mut text);
    let nonce = sealed.map_err(|_| Error::internal("a secret could not be sealed"))?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

/// Decrypts the result of [`seal_bytes`] for this purpose and owner.
pub fn open_bytes(pepper: &Pepper, purpose: Purpose, owner: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let broken = || Error::internal("a secret cannot be opened; was the pepper changed?");
    let (nonce, text) = sealed.split_at_checked(NONCE).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut text = text.to_vec();
    let opened =
        derive_key(pepper, purpose)?.open_in_place(nonce, Aad::from(owner), &mut text).map_err(|_| broken())?;
    Ok(opened.to_vec())
}

fn derive_key(pepper: &Pepper, purpose: Purpose) -> Result<RandomizedNonceKey> {
    let mut hash = Sha256::new();
    hash.update(purpose.purpose_label());
    hash.update(&pepper.0);
    RandomizedNonceKey::new(&AES_256_GCM, &hash.finalize()).map_err(|_| Error::internal("a key of the wrong length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_purpose_owner_and_pepper_alone() {
        let pepper = Pepper(vec![7; 32]);
        let sealed = seal_bytes(&pepper, Purpose::Agent, b"one", b"hush").unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        assert_ne!(sealed, seal_bytes(&pepper, Purpose::Agent, b"one", b"hush").unwrap(), "no two seals are alike");
        assert_eq!(open_bytes(&pepper, Purpose::Agent, b"one", &sealed).unwrap(), b"hush");
        for (pepper, purpose, owner, sealed) in [
            (&pepper, Purpose::Agent, b"two", sealed.as_slice()),
            (&pepper, Purpose::TrainingProvider, b"one", &sealed),
            (&Pepper(vec![8; 32]), Purpose::Agent, b"one", &sealed),
            (&pepper, Purpose::Agent, b"one", &sealed[..sealed.len() - 1]),
            (&pepper, Purpose::Agent, b"one", b"short"),
        ] {
            open_bytes(pepper, purpose, owner, sealed).unwrap_err();
        }
    }
}
