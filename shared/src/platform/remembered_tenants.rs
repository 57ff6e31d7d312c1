//! Tenants about which this process remembers something for a while, to choose the faster of two ways. What it
//! remembers may be outdated, so both ways must be right.

use std::time::Duration;

use moka::sync::Cache;

use crate::kernel::id::TenantId;

/// A set of tenants that forgets each after a while. Clones share it.
#[derive(Clone)]
pub struct RememberedTenants(Cache<TenantId, ()>);

impl RememberedTenants {
    /// An empty set that remembers each tenant for `ttl`.
    pub fn new(ttl: Duration) -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(ttl).build())
    }

    pub(crate) fn contains(&self, tenant_id: TenantId) -> bool {
        self.0.contains_key(&tenant_id)
    }

    /// Remembers a tenant from now on, or forgets it.
    pub(crate) fn record(&self, tenant_id: TenantId, is_member: bool) {
        if is_member {
            self.0.insert(tenant_id, ());
        } else {
            self.0.invalidate(&tenant_id);
        }
    }
}
