//! Which tenants were seen to have a default environment, so that the creation of a session usually needs no question.

use std::time::Duration;

use moka::sync::Cache;

use crate::kernel::id::TenantId;

/// How long a tenant is remembered after a session was created in its default environment.
const TTL: Duration = Duration::from_mins(10);

/// The tenants that had a default environment lately. A tenant that is missing may have one: the statement that inserts
/// a session checks it. Clones share the tenants.
#[derive(Clone)]
pub struct TenantsWithDefault(Cache<TenantId, ()>);

impl Default for TenantsWithDefault {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(TTL).build())
    }
}

impl TenantsWithDefault {
    pub(crate) fn contains(&self, tenant_id: TenantId) -> bool {
        self.0.contains_key(&tenant_id)
    }

    /// Remembers whether the tenant had a default environment when it was asked for.
    pub(crate) fn record(&self, tenant_id: TenantId, has_default: bool) {
        if has_default {
            self.0.insert(tenant_id, ());
        } else {
            self.0.invalidate(&tenant_id);
        }
    }
}
