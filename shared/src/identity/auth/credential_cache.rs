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
    platform::postgres::Db,
};

use super::store::{self, StoredAgentToken, StoredKey, TenantIdentity};

/// How long a credential stays cached: the longest that a revocation takes to work everywhere.
pub const CREDENTIAL_TTL: Duration = Duration::from_secs(5);

/// How often the last use of a key is recorded.
const KEY_USE_INTERVAL: Duration = Duration::from_mins(1);

/// The keys, agent tokens and tenants that this process read in the last seconds.
#[derive(Clone)]
pub struct CredentialCache {
    keys: Cache<KeyId, Arc<StoredKey>>,
    agent_tokens: Cache<AgentTokenId, Arc<StoredAgentToken>>,
    /// `None` for a name that no tenant has.
    tenants: Cache<String, Option<TenantIdentity>>,
    /// When this process last recorded the use of a key.
    recorded_uses: Cache<KeyId, Time>,
}

impl Default for CredentialCache {
    fn default() -> Self {
        Self {
            keys: Cache::builder().max_capacity(10_000).time_to_live(CREDENTIAL_TTL).build(),
            agent_tokens: Cache::builder().max_capacity(10_000).time_to_live(CREDENTIAL_TTL).build(),
            tenants: Cache::builder().max_capacity(1_000).time_to_live(CREDENTIAL_TTL).build(),
            recorded_uses: Cache::builder().max_capacity(10_000).time_to_live(KEY_USE_INTERVAL).build(),
        }
    }
}

impl CredentialCache {
    pub(super) async fn find_key(&self, db: &Db, id: KeyId) -> Result<Option<Arc<StoredKey>>> {
        if let Some(key) = self.keys.get(&id) {
            return Ok(Some(key));
        }
        let key = store::find_stored_key(db, id).await?.map(Arc::new);
        if let Some(key) = &key {
            self.keys.insert(id, key.clone());
        }
        Ok(key)
    }

    pub(super) async fn find_agent_token(&self, db: &Db, id: AgentTokenId) -> Result<Option<Arc<StoredAgentToken>>> {
        if let Some(token) = self.agent_tokens.get(&id) {
            return Ok(Some(token));
        }
        let token = store::find_stored_agent_token(db, id).await?.map(Arc::new);
        if let Some(token) = &token {
            self.agent_tokens.insert(id, token.clone());
        }
        Ok(token)
    }

    /// The tenant with an id, in lower case, or a slug.
    pub async fn find_tenant(&self, db: &Db, named: &str) -> Result<Option<TenantIdentity>> {
        if let Some(tenant) = self.tenants.get(named) {
            return Ok(tenant);
        }
        let tenant = store::find_tenant(db, named).await?;
        self.tenants.insert(named.to_owned(), tenant.clone());
        Ok(tenant)
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
        self.keys.invalidate_all();
        self.agent_tokens.invalidate_all();
        self.tenants.invalidate_all();
    }
}
