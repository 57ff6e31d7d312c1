//! API keys: `ioc_<environment>_<id>_<secret>`; an agent's token begins with `ioca_`. Only an HMAC-SHA256 of the secret, keyed with a pepper that the database
//! does not hold, is stored.

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use utoipa::ToSchema;

use crate::{
    clock::Time,
    id::{KeyId, UserId},
};

use super::{Actor, Role, Scope};

/// A key as it is shown: without its secret, of which nothing is kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKey {
    pub id: KeyId,
    pub name: String,
    /// What its text begins with: `ioc_<environment>_<id>`.
    pub prefix: String,
    /// It can do no more than its person, whatever this says.
    pub role: Role,
    /// What it was narrowed to; empty = everything that the role may.
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<Scope>,
    /// The person whose key it is; null = the tenant's own.
    pub user_id: Option<UserId>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    pub created_by: Actor,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Time>,
    /// To the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Time>,
    /// The key that took its place.
    pub rotated_to: Option<KeyId>,
    /// The role of the person whose key it is.
    #[serde(skip)]
    pub person_role: Option<Role>,
}

/// The key with which secrets are hashed; from the configuration, never in the database.
#[derive(Clone)]
pub struct Pepper(pub Vec<u8>);

/// What every key begins with.
const PREFIX: &str = "ioc_";

/// What every token of an agent begins with.
pub(super) const AGENT_PREFIX: &str = "ioca_";

/// A key as its owner sends it.
pub struct Presented {
    pub environment: String,
    pub id: KeyId,
    secret: String,
}

impl Presented {
    /// Reads a key; `None` for anything that does not have the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_after(PREFIX, text)
    }

    /// Reads the token of an agent.
    pub fn parse_agent(text: &str) -> Option<Self> {
        Self::parse_after(AGENT_PREFIX, text)
    }

    fn parse_after(prefix: &str, text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(prefix)?.split('_');
        let (environment, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let well_formed = parts.next().is_none()
            && id.len() == 32
            && secret.len() == 64
            && [id, secret].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        well_formed.then_some(())?;
        Some(Self { environment: environment.to_owned(), id: id.parse().ok()?, secret: secret.to_owned() })
    }

    /// Whether this is the secret behind `hash`, compared in constant time.
    pub fn matches(&self, pepper: &Pepper, hash: &[u8]) -> bool {
        mac(pepper, self.id, &self.secret).verify_slice(hash).is_ok()
    }
}

/// A key that was just made. The text is shown once and kept nowhere.
pub struct Minted {
    pub id: KeyId,
    pub text: String,
    pub hash: Vec<u8>,
}

/// Makes a key with 256 bits of randomness from the operating system.
pub fn mint(pepper: &Pepper, environment: &str) -> Minted {
    mint_after(PREFIX, pepper, environment)
}

/// Makes the token of an agent, as [`mint`] makes a key.
pub fn mint_agent(pepper: &Pepper, environment: &str) -> Minted {
    mint_after(AGENT_PREFIX, pepper, environment)
}

fn mint_after(prefix: &str, pepper: &Pepper, environment: &str) -> Minted {
    let id = KeyId::new();
    let secret = hex::encode(rand::random::<[u8; 32]>());
    let hash = mac(pepper, id, &secret).finalize().into_bytes().to_vec();
    Minted { id, text: format!("{prefix}{environment}_{}_{secret}", id.0.simple()), hash }
}

/// What the text of a key begins with, and may be shown.
pub fn prefix(environment: &str, id: KeyId) -> String {
    format!("{PREFIX}{environment}_{}", id.0.simple())
}

fn mac(pepper: &Pepper, id: KeyId, secret: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&pepper.0).expect("HMAC takes a key of any length");
    mac.update(id.0.as_bytes());
    mac.update(secret.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minted_key_reads_back_and_matches_only_its_own_hash_and_pepper() {
        let pepper = Pepper(b"pepper".to_vec());
        let (one, other) = (mint(&pepper, "demo"), mint(&pepper, "demo"));
        let presented = Presented::parse(&one.text).unwrap();
        assert_eq!(presented.id, one.id);
        assert!(presented.matches(&pepper, &one.hash));
        assert!(!presented.matches(&pepper, &other.hash));
        assert!(!presented.matches(&Pepper(b"another".to_vec()), &one.hash));
        assert!(!one.text.contains(&hex::encode(&one.hash)));
    }

    #[test]
    fn a_truncated_or_changed_key_is_no_key() {
        let key = mint(&Pepper(vec![1]), "test").text;
        assert!(Presented::parse(&key[..key.len() - 1]).is_none());
        assert!(Presented::parse(&format!("{key}_x")).is_none());
        assert!(Presented::parse(&key.to_uppercase()).is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_fail_otherwise_than_by_none(text in ".{0,200}") {
            let _ = Presented::parse(&text);
        }
    }
}
