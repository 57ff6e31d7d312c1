//! A cache of the public keys of one issuer: fetched on first use, refreshed from time to time, and used on while the
//! issuer is down.

use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde_json::Value;

use crate::kernel::clock::Time;

use super::{fetch::Fetcher, issuer::Issuer};

/// How long keys are used without being fetched again.
const REFRESH_AFTER: TimeDelta = TimeDelta::minutes(10);

/// How long keys are used at most while the issuer does not respond.
const MAX_AGE: TimeDelta = TimeDelta::hours(24);

/// The shortest time between two fetches, so that a flood of unknown key ids causes no flood of fetches.
const FETCH_PAUSE: TimeDelta = TimeDelta::seconds(30);

/// The shortest time between two fetches while there are no usable keys and every token is refused.
const FETCH_PAUSE_WITHOUT_KEYS: TimeDelta = TimeDelta::seconds(5);

/// The key that the header of a token asks for.
#[derive(Clone, Copy)]
pub(super) struct WantedKey<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) algorithm: Algorithm,
}

/// The result of looking up a key.
pub(super) enum KeyLookup {
    Key(Box<DecodingKey>),
    /// The issuer has no such key.
    Unknown,
    /// Unknown: the issuer does not respond, and the cached keys are too old.
    Unavailable,
}

/// The keys of one issuer. One caller fetches keys that are too old while all others wait for that fetch.
pub(super) struct IssuerKeys {
    cached: Mutex<CachedKeys>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct CachedKeys {
    keys: std::sync::Arc<[Jwk]>,
    fetched_at: Option<Time>,
    tried_at: Option<Time>,
}

impl CachedKeys {
    fn age(&self, now: Time) -> Option<TimeDelta> {
        self.fetched_at.map(|at| now - at)
    }

    fn are_fresh(&self, now: Time) -> bool {
        self.age(now).is_some_and(|age| age < REFRESH_AFTER)
    }

    fn are_usable(&self, now: Time) -> bool {
        self.age(now).is_some_and(|age| age < MAX_AGE)
    }

    fn may_fetch(&self, now: Time) -> bool {
        let pause = if self.are_usable(now) { FETCH_PAUSE } else { FETCH_PAUSE_WITHOUT_KEYS };
        self.tried_at.is_none_or(|at| now - at >= pause)
    }

    /// The key that a token names. A token without a key id is accepted only if exactly one key fits.
    fn find_key(&self, wanted: WantedKey<'_>, now: Time) -> KeyLookup {
        if !self.are_usable(now) {
            return KeyLookup::Unavailable;
        }
        let mut fitting = self.keys.iter().filter(|key| {
            can_verify(key, wanted.algorithm) && wanted.id.is_none_or(|id| key.common.key_id.as_deref() == Some(id))
        });
        match (fitting.next().map(DecodingKey::from_jwk), fitting.next()) {
            (Some(Ok(key)), None) => KeyLookup::Key(Box::new(key)),
            _ => KeyLookup::Unknown,
        }
    }
}

impl IssuerKeys {
    pub(super) fn new() -> Self {
        Self { cached: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// The key that a token names. Fetches the issuer's keys if they may be out of date.
    pub(super) async fn find_key(
        &self,
        fetcher: &Fetcher,
        issuer: &Issuer,
        wanted: WantedKey<'_>,
        now: Time,
    ) -> KeyLookup {
        let cached = self.cached_keys();
        let found = cached.find_key(wanted, now);
        let known = matches!(found, KeyLookup::Key(_));
        // An unknown key id may be newer than the cache; a token without a key id is no reason to fetch.
        if (known || (wanted.id.is_none() && !matches!(found, KeyLookup::Unavailable))) && cached.are_fresh(now) {
            return found;
        }
        let _turn = match self.fetching.try_lock() {
            Ok(turn) => turn,
            // Another call is fetching already, and this one has its key.
            Err(_) if known => return found,
            Err(_) => self.fetching.lock().await,
        };
        // A fetch that this call waited for counts: it started after the look-up above.
        if self.cached_keys().may_fetch(now) {
            self.refresh_keys(fetcher, issuer, now).await;
        }
        self.cached_keys().find_key(wanted, now)
    }

    async fn refresh_keys(&self, fetcher: &Fetcher, issuer: &Issuer, now: Time) {
        self.update(|cached| cached.tried_at = Some(now));
        match fetcher.fetch_keys(issuer).await {
            Ok(keys) => self.update(|cached| {
                cached.keys = keys.into_iter().filter_map(parse_key).collect();
                cached.fetched_at = Some(now);
            }),
            Err(why) => {
                tracing::warn!(issuer = issuer.issuer, why, "could not fetch the keys of an issuer");
            }
        }
    }

    fn cached_keys(&self) -> CachedKeys {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut CachedKeys)) {
        change(&mut self.cached.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Parses a key that may verify signatures. A key of an unknown form is skipped.
fn parse_key(key: Value) -> Option<Jwk> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    let common = &key.common;
    let signs = common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let verifies = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    (signs && verifies).then_some(key)
}

/// Whether a key may verify signatures of an algorithm. The key decides, never the token: otherwise a token could have
/// a public key used as a shared secret.
fn can_verify(key: &Jwk, algorithm: Algorithm) -> bool {
    let of_kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => algorithm.family() == AlgorithmFamily::Rsa,
        AlgorithmParameters::EllipticCurve(key) => match algorithm {
            Algorithm::ES256 => key.curve == EllipticCurve::P256,
            Algorithm::ES384 => key.curve == EllipticCurve::P384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(key) => algorithm == Algorithm::EdDSA && key.curve == EllipticCurve::Ed25519,
        // A shared secret, or an unknown kind of key.
        _ => false,
    };
    of_kind && key.common.key_algorithm.is_none_or(|only| only == KeyAlgorithm::from(algorithm))
}
