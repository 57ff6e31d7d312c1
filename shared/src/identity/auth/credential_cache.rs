//! A cache of keys, agent tokens and tenants: a call with a credential that was seen in the last seconds costs no round
//! trip.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use crate::{
    kernel::{
        clock::Time,
        error::Result,
        id::{AgentTokenId, KeyId},
    },
    platform::{cached_reads::CachedReads, postgres::Db},
};

use super::store::{self, StoredAgentToken, StoredKey, TenantIdentity};

/// How long a credential stays cached: the longest that a revocation takes to work everywhere.
pub const CREDENTIAL_TTL: Duration = Duration::from_secs(5);

/// How often the last use of a key is recorded.
const KEY_USE_INTERVAL: Duration = Duration::from_mins(1);

/// The keys, agent tokens and tenants that this process read in the last seconds.
#[derive(Clone)]
pub struct CredentialCache {
    keys: CachedReads<KeyId, Arc<StoredKey>>,
    agent_tokens: CachedReads<AgentTokenId, Arc<StoredAgentToken>>,
    /// `None` for a name that no tenant has.
    tenants: CachedReads<String, Option<TenantIdentity>>,
    /// When this process last recorded the use of a key.
    recorded_uses: Cache<KeyId, Time>,
}

impl Default for CredentialCache {
    fn default() -> Self {
        Self {
            keys: CachedReads::new(10_000, CREDENTIAL_TTL),
            agent_tokens: CachedReads::new(10_000, CREDENTIAL_TTL),
            tenants: CachedReads::new(1_000, CREDENTIAL_TTL),
            recorded_uses: Cache::builder().max_capacity(10_000).time_to_live(KEY_USE_INTERVAL).build(),
        }
    }
}

impl CredentialCache {
    pub(super) async fn find_key(&self, db: &Db, id: KeyId) -> Result<Option<Arc<StoredKey>>> {
        self.keys.find(&id, async { Ok(store::find_stored_key(db, id).await?.map(Arc::new)) }).await
    }

    pub(super) async fn find_agent_token(&self, db: &Db, id: AgentTokenId) -> Result<Option<Arc<StoredAgentToken>>> {
        self.agent_tokens.find(&id, async { Ok(store::find_stored_agent_token(db, id).await?.map(Arc::new)) }).await
    }

    /// The tenant with an id, in lower case, or a slug.
    pub async fn find_tenant(&self, db: &Db, named: &str) -> Result<Option<TenantIdentity>> {
        let found =
            self.tenants.find(&named.to_owned(), async { Ok(Some(store::find_tenant(db, named).await?)) }).await?;
        Ok(found.flatten())
    }

    /// Records from time to time that a key was used. A failure to record it does not fail the call.
    pub(super) async fn record_key_use(&self, db: &Db, id: KeyId, key: &StoredKey, now: Time) {
        let recorded = self.recorded_uses.get(&id).or(key.last_used_at);
        if recorded.is_some_and(|at| (now - at).to_std().is_ok_and(|age| age < KEY_USE_INTERVAL)) {
            return;
        }
        self.recorded_uses.insert(id, now);
        if let Err(error) = store::record_key_use(db, id, now).await {
            tracing::warn!(?error, "the last use of a key could not be recorded");
        }
    }

    /// Clears the cache, after a change to keys, tokens, users or tenants.
    pub(in crate::identity) fn invalidate(&self) {
        self.keys.invalidate();
        self.agent_tokens.invalidate();
        self.tenants.invalidate();
    }
}
