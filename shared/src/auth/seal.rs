//! Secrets that we must send again, and so cannot hash: sealed under the pepper, which the database does not hold.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use sha2::{Digest, Sha256};

use super::key::Pepper;
use crate::error::{Error, Result};

const NONCE: usize = 12;

/// Seals a secret for one owner: it opens for no other.
pub fn seal(pepper: &Pepper, owner: &[u8], secret: &str) -> Result<Vec<u8>> {
    let mut text = secret.as_bytes().to_vec();
    let nonce = key(pepper)?.seal_in_place_append_tag(Aad::from(owner), &mut text);
    let nonce = nonce.map_err(|_| Error::internal("a secret could not be sealed"))?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

/// The secret that was sealed.
pub fn open(pepper: &Pepper, owner: &[u8], sealed: &[u8]) -> Result<String> {
    let broken = || Error::internal("a sealed secret cannot be opened; was the pepper changed?");
    let (nonce, text) = sealed.split_at_checked(NONCE).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut text = text.to_vec();
    let opened = key(pepper)?.open_in_place(nonce, Aad::from(owner), &mut text).map_err(|_| broken())?;
    String::from_utf8(opened.to_vec()).map_err(|_| broken())
}

fn key(pepper: &Pepper) -> Result<RandomizedNonceKey> {
    let mut hash = Sha256::new();
    hash.update(b"secrets of endpoints\0");
    hash.update(&pepper.0);
    RandomizedNonceKey::new(&AES_256_GCM, &hash.finalize()).map_err(|_| Error::internal("a key of the wrong length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_owner_under_its_pepper_alone() {
        let (pepper, other) = (Pepper(vec![1]), Pepper(vec![2]));
        let sealed = seal(&pepper, b"a", "secret").unwrap();
        assert_eq!(open(&pepper, b"a", &sealed).unwrap(), "secret");
        assert!(open(&pepper, b"b", &sealed).is_err() && open(&other, b"a", &sealed).is_err());
        assert!(open(&pepper, b"a", &sealed[..5]).is_err());
        assert_ne!(sealed, seal(&pepper, b"a", "secret").unwrap());
    }
}
