//! Users by the tokens of trusted issuers (OpenID Connect): the user, tenant and role of a token.
//!
//! [`settings`] reads the trusted [`issuer`]s, [`token`] verifies a token with the [`keys`] of its issuer, [`claims`]
//! reads its claims, and [`login`] finds or creates the user. [`browser`] describes how a browser obtains a token.

pub mod browser;
mod claims;
mod fetch;
pub mod issuer;
mod keys;
pub(super) mod login;
pub mod settings;
mod store;
pub(super) mod token;
mod token_user;
mod trusted_url;

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use crate::kernel::{clock::Time, id::UserId};

use super::credential_cache::CREDENTIAL_TTL;

use fetch::Fetcher;
use issuer::Issuer;
use keys::IssuerKeys;
use token_user::TokenUser;

/// The trusted issuers with their keys, and a cache of the users of recent tokens.
#[derive(Clone)]
pub struct OidcIssuers {
    trusted: Arc<[TrustedIssuer]>,
    fetcher: Fetcher,
    /// By the SHA-256 of a token.
    known: Cache<[u8; 32], Arc<TokenUser>>,
    /// When this process last recorded the visit of a user.
    seen: Cache<UserId, Time>,
}

/// A trusted issuer and its keys.
struct TrustedIssuer {
    issuer: Issuer,
    keys: IssuerKeys,
}

/// How often the last visit of a user is recorded.
const VISIT_INTERVAL: Duration = Duration::from_mins(1);

impl OidcIssuers {
    /// The keys of an issuer are fetched only when its first token arrives.
    pub fn new(issuers: Vec<Issuer>) -> Self {
        Self {
            trusted: issuers.into_iter().map(|issuer| TrustedIssuer { issuer, keys: IssuerKeys::new() }).collect(),
            fetcher: Fetcher::default(),
            known: Cache::builder().max_capacity(10_000).time_to_live(CREDENTIAL_TTL).build(),
            seen: Cache::builder().max_capacity(10_000).time_to_live(VISIT_INTERVAL).build(),
        }
    }

    /// The issuers that support login with a browser, in the order of the configuration.
    pub fn login_options(&self) -> Vec<browser::LoginIssuer> {
        self.trusted.iter().filter_map(|trusted| browser::public_login(&trusted.issuer)).collect()
    }

    fn find_issuer(&self, issuer: &str) -> Option<&TrustedIssuer> {
        self.trusted.iter().find(|one| one.issuer.issuer == issuer)
    }

    /// Clears the cache of token users, after a change to users or tenants.
    pub(in crate::identity) fn invalidate(&self) {
        self.known.invalidate_all();
    }
}
