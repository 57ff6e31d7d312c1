//! The public keys of one issuer, kept here: fetched when they are first needed, looked after now and then, and used on
//! while the issuer is down.

use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde_json::Value;

use crate::clock::Time;

use super::{fetch::Fetcher, settings::Issuer};

/// How long keys are used without asking again.
const FRESH: TimeDelta = TimeDelta::minutes(10);

/// How long keys are used at most while the issuer does not answer.
const USABLE: TimeDelta = TimeDelta::hours(24);

/// The least time between two fetches, whatever tokens come: a flood of unknown keys is no flood of fetches.
const PAUSE: TimeDelta = TimeDelta::seconds(30);

/// The same while there is no key at all, and so nobody can be let in.
const PAUSE_WITHOUT_KEYS: TimeDelta = TimeDelta::seconds(5);

/// What came of looking for a key.
pub(super) enum Found {
    Key(Box<DecodingKey>),
    /// The issuer has no such key.
    Unknown,
    /// Nobody can say: the issuer does not answer, and what was known is too old.
    Down,
}

/// The keys of one issuer. Whoever finds them too old fetches them, while all others wait for that one fetch.
pub(super) struct Keys {
    held: Mutex<Held>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Held {
    keys: std::sync::Arc<[Jwk]>,
    fetched_at: Option<Time>,
    tried_at: Option<Time>,
}

impl Held {
    fn age(&self, now: Time) -> Option<TimeDelta> {
        self.fetched_at.map(|at| now - at)
    }

    fn are_fresh(&self, now: Time) -> bool {
        self.age(now).is_some_and(|age| age < FRESH)
    }

    fn are_usable(&self, now: Time) -> bool {
        self.age(now).is_some_and(|age| age < USABLE)
    }

    fn may_fetch(&self, now: Time) -> bool {
        let pause = if self.are_usable(now) { PAUSE } else { PAUSE_WITHOUT_KEYS };
        self.tried_at.is_none_or(|at| now - at >= pause)
    }

    /// The key that a token names. One that names none is good only where there is no choice.
    fn find(&self, id: Option<&str>, algorithm: Algorithm, now: Time) -> Found {
        if !self.are_usable(now) {
            return Found::Down;
        }
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| fits(key, algorithm) && id.is_none_or(|id| key.common.key_id.as_deref() == Some(id)));
        match (fitting.next().map(DecodingKey::from_jwk), fitting.next()) {
            (Some(Ok(key)), None) => Found::Key(Box::new(key)),
            _ => Found::Unknown,
        }
    }
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { held: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// The key that a token names, asking the issuer where that may help.
    pub(super) async fn find(
        &self,
        fetcher: &Fetcher,
        issuer: &Issuer,
        id: Option<&str>,
        algorithm: Algorithm,
        now: Time,
    ) -> Found {
        let held = self.held();
        let found = held.find(id, algorithm, now);
        let known = matches!(found, Found::Key(_));
        // A key that is not known can be newer than what we hold; that a token names none is no reason to ask.
        if (known || (id.is_none() && !matches!(found, Found::Down))) && held.are_fresh(now) {
            return found;
        }
        let _turn = match self.fetching.try_lock() {
            Ok(turn) => turn,
            // Somebody asks already, and this call can do without.
            Err(_) if known => return found,
            Err(_) => self.fetching.lock().await,
        };
        // What came of the fetch that we waited for counts: it began after we looked.
        if self.held().may_fetch(now) {
            self.fetch(fetcher, issuer, now).await;
        }
        self.held().find(id, algorithm, now)
    }

    async fn fetch(&self, fetcher: &Fetcher, issuer: &Issuer, now: Time) {
        self.change(|held| held.tried_at = Some(now));
        match fetcher.keys(issuer).await {
            Ok(keys) => self.change(|held| {
                held.keys = keys.into_iter().filter_map(read).collect();
                held.fetched_at = Some(now);
            }),
            Err(why) => {
                tracing::warn!(issuer = issuer.issuer, why, "the keys of an issuer could not be fetched");
            }
        }
    }

    fn held(&self) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A key that may be there to check signatures; what we do not understand is left out, and the others stay.
fn read(key: Value) -> Option<Jwk> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    let common = &key.common;
    let signs = common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let verifies = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    (signs && verifies).then_some(key)
}

/// Whether a key may check signatures of this kind. The key decides that, and never the token: a public key is no
/// shared secret.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let of_kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => algorithm.family() == AlgorithmFamily::Rsa,
        AlgorithmParameters::EllipticCurve(key) => match algorithm {
            Algorithm::ES256 => key.curve == EllipticCurve::P256,
            Algorithm::ES384 => key.curve == EllipticCurve::P384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(key) => algorithm == Algorithm::EdDSA && key.curve == EllipticCurve::Ed25519,
        // A shared secret, or what we do not know.
        _ => false,
    };
    of_kind && key.common.key_algorithm.is_none_or(|only| only == KeyAlgorithm::from(algorithm))
}
