//! People by the tokens of issuers that we trust (OpenID Connect): whose token it is, in which tenant, with which role.
//!
//! [`settings`] says who is trusted, [`token`] checks what was sent by the [`keys`] of its issuer, [`claims`] reads what
//! it says, and [`login`] finds or makes the user. [`browser`] says how people get a token in the first place.

pub mod browser;
mod claims;
mod fetch;
mod keys;
pub(super) mod login;
pub mod settings;
mod store;
pub(super) mod token;

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use crate::{clock::Time, id::UserId};

use super::service::KNOWN_FOR;

use fetch::Fetcher;
use keys::Keys;
use login::KnownUser;
use settings::Issuer;

/// The issuers, their keys, and whom their tokens were found to belong to of late.
#[derive(Clone)]
pub struct Oidc {
    trusted: Arc<[Trusted]>,
    fetcher: Fetcher,
    /// By the SHA-256 of a token.
    known: Cache<[u8; 32], Arc<KnownUser>>,
    /// When it was last noted by this process that somebody was there.
    seen: Cache<UserId, Time>,
}

/// An issuer and its keys.
struct Trusted {
    issuer: Issuer,
    keys: Keys,
}

/// How old what is noted of somebody's last visit may be before it is noted again.
const SEEN_NOTED_EVERY: Duration = Duration::from_mins(1);

impl Oidc {
    /// Nothing is fetched before the first token of an issuer comes.
    pub fn new(issuers: Vec<Issuer>) -> Self {
        Self {
            trusted: issuers.into_iter().map(|issuer| Trusted { issuer, keys: Keys::new() }).collect(),
            fetcher: Fetcher::default(),
            known: Cache::builder().max_capacity(10_000).time_to_live(KNOWN_FOR).build(),
            seen: Cache::builder().max_capacity(10_000).time_to_live(SEEN_NOTED_EVERY).build(),
        }
    }

    /// Where people may log in with a browser, in the order of the configuration.
    pub fn logins(&self) -> Vec<browser::LoginIssuer> {
        self.trusted.iter().filter_map(|trusted| browser::offered(&trusted.issuer)).collect()
    }

    fn of(&self, issuer: &str) -> Option<&Trusted> {
        self.trusted.iter().find(|one| one.issuer.issuer == issuer)
    }

    /// Forgets whom tokens belong to, after a change to users or tenants.
    pub(super) fn forget(&self) {
        self.known.invalidate_all();
    }
}
