//! API keys: `ioc_<environment>_<id>_<secret>`; the token of an agent begins with `ioca_`, a token with which runners
//! enrol with `iocr_`, and the credential of a runner with `iocrc_`. Only an HMAC-SHA256 of the secret is stored. Its
//! key is a pepper that the database does not hold.

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use utoipa::ToSchema;

use crate::kernel::{
    actor::Actor,
    clock::Time,
    encryption::Pepper,
    id::{KeyId, UserId},
};

use super::{Role, Scope};

/// An API key without its secret, which is not stored.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKey {
    /// The id of the key.
    pub id: KeyId,
    /// The name of the key.
    pub name: String,
    /// The beginning of the key's text: `ioc_<environment>_<id>`.
    pub prefix: String,
    /// The role of the key. It is limited by the current role of its user.
    pub role: Role,
    /// The scopes that the key is limited to; empty means all that the role permits.
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<Scope>,
    /// The user whose key it is; null for a key of the tenant.
    pub user_id: Option<UserId>,
    /// When the key was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// The creator of the key.
    pub created_by: Actor,
    /// The key that created this one, or that this one replaced; null if a user did so by a login, or the setup did.
    pub created_by_key: Option<KeyId>,
    /// When the key expires; null if it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Time>,
    /// When the key was last used, to the minute; null if never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Time>,
    /// When the key was revoked; null if it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Time>,
    /// The key that replaces this one; null if none does.
    pub rotated_to: Option<KeyId>,
    /// The role of the user who owns the key.
    #[serde(skip)]
    pub person_role: Option<Role>,
}

/// The prefix of every API key.
const PREFIX: &str = "ioc_";

/// The prefix of every agent token.
pub(super) const AGENT_PREFIX: &str = "ioca_";

/// The prefix of every token with which runners enrol.
pub(super) const ENROLMENT_PREFIX: &str = "iocr_";

/// The prefix of every credential of a runner.
pub(super) const RUNNER_PREFIX: &str = "iocrc_";

/// The prefixes of all credentials that this product issues.
pub(super) const PREFIXES: [&str; 4] = [PREFIX, AGENT_PREFIX, ENROLMENT_PREFIX, RUNNER_PREFIX];

/// A key or token, as a caller presents it.
pub struct PresentedKey {
    pub environment: String,
    pub id: KeyId,
    secret: String,
}

impl PresentedKey {
    /// Parses an API key; `None` for any text that does not have its form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_with_prefix(PREFIX, text)
    }

    /// Parses the token of an agent; `None` for any text that does not have its form.
    pub fn parse_agent(text: &str) -> Option<Self> {
        Self::parse_with_prefix(AGENT_PREFIX, text)
    }

    /// Parses a token with which runners enrol; `None` for any text that does not have its form.
    pub fn parse_enrolment(text: &str) -> Option<Self> {
        Self::parse_with_prefix(ENROLMENT_PREFIX, text)
    }

    /// Parses the credential of a runner; `None` for any text that does not have its form.
    pub fn parse_runner(text: &str) -> Option<Self> {
        Self::parse_with_prefix(RUNNER_PREFIX, text)
    }

    fn parse_with_prefix(prefix: &str, text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(prefix)?.split('_');
        let (environment, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let well_formed = parts.next().is_none()
            && id.len() == 32
            && secret.len() == 64
            && [id, secret].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        well_formed.then_some(())?;
        Some(Self { environment: environment.to_owned(), id: id.parse().ok()?, secret: secret.to_owned() })
    }

    /// Whether `hash` was computed from this secret. Compares in constant time.
    pub fn matches(&self, pepper: &Pepper, hash: &[u8]) -> bool {
        secret_mac(pepper, self.id, &self.secret).verify_slice(hash).is_ok()
    }
}

/// A new key. Its text is shown once and never stored.
pub struct GeneratedKey {
    pub id: KeyId,
    pub text: String,
    pub hash: Vec<u8>,
}

/// Generates a key with 256 random bits from the operating system.
pub fn generate_key(pepper: &Pepper, environment: &str) -> GeneratedKey {
    generate_with_prefix(PREFIX, pepper, environment)
}

/// Generates the token of an agent, as [`generate_key`] generates a key.
pub fn generate_agent_token(pepper: &Pepper, environment: &str) -> GeneratedKey {
    generate_with_prefix(AGENT_PREFIX, pepper, environment)
}

/// Generates a token with which runners enrol, as [`generate_key`] generates a key.
pub fn generate_enrolment_token(pepper: &Pepper, environment: &str) -> GeneratedKey {
    generate_with_prefix(ENROLMENT_PREFIX, pepper, environment)
}

/// Generates the credential of a runner, as [`generate_key`] generates a key.
pub fn generate_runner_credential(pepper: &Pepper, environment: &str) -> GeneratedKey {
    generate_with_prefix(RUNNER_PREFIX, pepper, environment)
}

fn generate_with_prefix(prefix: &str, pepper: &Pepper, environment: &str) -> GeneratedKey {
    let id = KeyId::new();
    let secret = hex::encode(rand::random::<[u8; 32]>());
    let hash = secret_mac(pepper, id, &secret).finalize().into_bytes().to_vec();
    GeneratedKey { id, text: format!("{prefix}{environment}_{}_{secret}", id.0.simple()), hash }
}

/// The start of a key's text, which is not secret.
pub fn public_prefix(environment: &str, id: KeyId) -> String {
    format!("{PREFIX}{environment}_{}", id.0.simple())
}

fn secret_mac(pepper: &Pepper, id: KeyId, secret: &str) -> Hmac<Sha256> {
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
    fn a_new_key_parses_back_and_matches_only_its_own_hash_and_pepper() {
        let pepper = Pepper(b"pepper".to_vec());
        let (one, other) = (generate_key(&pepper, "demo"), generate_key(&pepper, "demo"));
        let presented = PresentedKey::parse(&one.text).unwrap();
        assert_eq!(presented.id, one.id);
        assert!(presented.matches(&pepper, &one.hash));
        assert!(!presented.matches(&pepper, &other.hash));
        assert!(!presented.matches(&Pepper(b"another".to_vec()), &one.hash));
        assert!(!one.text.contains(&hex::encode(&one.hash)));
    }

    #[test]
    fn a_credential_parses_as_its_own_kind_alone() {
        let pepper = Pepper(vec![1]);
        let parse =
            [PresentedKey::parse, PresentedKey::parse_agent, PresentedKey::parse_enrolment, PresentedKey::parse_runner];
        let made = [generate_key, generate_agent_token, generate_enrolment_token, generate_runner_credential];
        for (at, generate) in made.into_iter().enumerate() {
            let text = generate(&pepper, "demo").text;
            let parsed: Vec<_> = parse.iter().map(|parse| parse(&text).is_some()).collect();
            assert_eq!(parsed, (0..4).map(|other| other == at).collect::<Vec<_>>(), "{}", PREFIXES[at]);
        }
    }

    #[test]
    fn a_truncated_or_changed_key_is_not_parsed() {
        let key = generate_key(&Pepper(vec![1]), "test").text;
        assert!(PresentedKey::parse(&key[..key.len() - 1]).is_none());
        assert!(PresentedKey::parse(&format!("{key}_x")).is_none());
        assert!(PresentedKey::parse(&key.to_uppercase()).is_none());
    }

    proptest! {
        #[test]
        fn any_other_text_is_not_parsed_as_a_key(text in ".{0,200}|ioca?_[a-z]{1,8}_[0-9a-g]{0,40}_[0-9a-g]{0,70}") {
            let parts: Vec<_> = text.split('_').collect();
            let is_hex = |part: &str, length| {
                part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
            };
            let has_form = parts.len() == 4 && parts[0] == "ioc" && is_hex(parts[2], 32) && is_hex(parts[3], 64);
            prop_assert_eq!(PresentedKey::parse(&text).is_some(), has_form);
        }
    }
}
