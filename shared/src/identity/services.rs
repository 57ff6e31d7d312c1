//! The handles of identity: cached credentials, the OpenID Connect issuers and the rate limiter.

use std::{ops::Deref, sync::Arc};

use crate::{
    identity::{
        auth::{credential_cache::CredentialCache, oidc::OidcIssuers},
        rate_limits::{RateLimiter, RateLimits},
        tenants::quotas::StorageQuotas,
    },
    platform::{context::Context, postgres::unit_of_work::after_commit},
};

/// The handles that use cases of identity need. Clones share them.
#[derive(Clone)]
pub struct IdentityServices(Arc<IdentityParts>);

/// The fields of [`IdentityServices`].
pub struct IdentityParts {
    pub context: Context,
    pub credentials: CredentialCache,
    pub oidc: OidcIssuers,
    pub limiter: RateLimiter,
    pub rate_limits: RateLimits,
    /// The limits on what tenants store that have none of their own.
    pub quotas: StorageQuotas,
}

impl IdentityServices {
    pub fn new(parts: IdentityParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl IdentityServices {
    /// Clears this process's caches of credentials, users, tenants and limits after a change to any of them. Other
    /// processes notice the change within [`CREDENTIAL_TTL`](super::auth::credential_cache::CREDENTIAL_TTL).
    pub(crate) fn invalidate_caches(&self) {
        self.credentials.invalidate();
        self.limiter.invalidate();
        self.oidc.invalidate();
    }

    /// Clears the caches, in a unit of work after its commit.
    pub(crate) async fn invalidate_caches_after_commit(&self) {
        let services = self.clone();
        after_commit(async move { services.invalidate_caches() }).await;
    }
}

impl Deref for IdentityServices {
    type Target = IdentityParts;

    fn deref(&self) -> &IdentityParts {
        &self.0
    }
}

impl Deref for IdentityParts {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}
