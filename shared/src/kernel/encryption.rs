//! Encryption of tenants' secrets, which the database never holds in plain text, and of what clients shall not read.
//!
//! The key is derived from the pepper, which the database does not hold, and from the purpose of the secret. The owner
//! is authenticated with it, so a sealed secret that is copied to another row cannot be opened there.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey},
    error::Unspecified,
};
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
    Secret,
    TrainingProvider,
    StreamPosition,
}

impl Purpose {
    const fn purpose_label(self) -> &'static [u8] {
        match self {
            Self::Agent => b"secrets of agents\0",
            Self::Secret => b"secrets of tenants\0",
            Self::TrainingProvider => b"keys of training providers\0",
            Self::StreamPosition => b"positions in event streams\0",
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

/// The size of a block in bytes.
pub const BLOCK: usize = 16;

/// Encrypts single blocks. Equal blocks have equal texts; a changed text becomes another block, unnoticed.
pub struct BlockCipher {
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
}

impl BlockCipher {
    pub fn new(pepper: &Pepper, purpose: Purpose) -> Result<Self> {
        let key = || UnboundCipherKey::new(&AES_256, &derive_key_bytes(pepper, purpose));
        let keys = || Ok((EncryptingKey::ecb(key()?)?, DecryptingKey::ecb(key()?)?));
        let (encrypting, decrypting) = keys().map_err(|_: Unspecified| wrong_key())?;
        Ok(Self { encrypting, decrypting })
    }

    pub fn encrypt_block(&self, mut block: [u8; BLOCK]) -> Result<[u8; BLOCK]> {
        let encrypted = self.encrypting.encrypt(&mut block);
        encrypted.map(|_| block).map_err(|_| Error::internal("a block could not be encrypted"))
    }

    pub fn decrypt_block(&self, mut block: [u8; BLOCK]) -> Result<[u8; BLOCK]> {
        let decrypted = self.decrypting.decrypt(&mut block, DecryptionContext::None).map(|_| ());
        decrypted.map(|()| block).map_err(|_| Error::internal("a block could not be decrypted"))
    }
}

fn derive_key(pepper: &Pepper, purpose: Purpose) -> Result<RandomizedNonceKey> {
    RandomizedNonceKey::new(&AES_256_GCM, &derive_key_bytes(pepper, purpose)).map_err(|_| wrong_key())
}

fn derive_key_bytes(pepper: &Pepper, purpose: Purpose) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(purpose.purpose_label());
    hash.update(&pepper.0);
    hash.finalize().into()
}

fn wrong_key() -> Error {
    Error::internal("a key of the wrong length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_decrypted_for_its_purpose_and_pepper_alone() {
        let pepper = Pepper(vec![7; 32]);
        let cipher = |pepper, purpose| BlockCipher::new(pepper, purpose).unwrap();
        let own = cipher(&pepper, Purpose::StreamPosition);
        let sealed = own.encrypt_block([9; BLOCK]).unwrap();
        assert_eq!((own.decrypt_block(sealed).unwrap(), own.encrypt_block([9; BLOCK]).unwrap()), ([9; BLOCK], sealed));
        for other in [cipher(&pepper, Purpose::Agent), cipher(&Pepper(vec![8; 32]), Purpose::StreamPosition)] {
            assert_ne!(other.decrypt_block(sealed).unwrap(), [9; BLOCK]);
        }
    }

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
            (&pepper, Purpose::Secret, b"one", &sealed),
            (&Pepper(vec![8; 32]), Purpose::Agent, b"one", &sealed),
            (&pepper, Purpose::Agent, b"one", &sealed[..sealed.len() - 1]),
            (&pepper, Purpose::Agent, b"one", b"short"),
        ] {
            open_bytes(pepper, purpose, owner, sealed).unwrap_err();
        }
    }
}
