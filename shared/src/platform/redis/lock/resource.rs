//! The resource of a lock: a name with its tenant, and its Redis keys.

use std::{fmt, sync::Arc};

use crate::kernel::id::{SessionId, TenantId};

/// A resource with at most one holder at a time.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Resource(Arc<str>);

impl Resource {
    /// A resource of the whole installation.
    pub fn new(name: &str) -> Self {
        Self(format!("all:{name}").into())
    }

    /// A resource of one tenant, by kind and name.
    pub fn of_tenant(tenant_id: TenantId, kind: &str, name: &str) -> Self {
        Self(format!("tenant:{tenant_id}:{kind}:{name}").into())
    }

    /// A session: one step at a time.
    pub fn session(tenant_id: TenantId, session_id: SessionId) -> Self {
        Self::of_tenant(tenant_id, "session", &session_id.to_string())
    }

    /// A workspace by its key: one session at a time.
    pub fn workspace(tenant_id: TenantId, key: &str) -> Self {
        Self::of_tenant(tenant_id, "workspace", key)
    }

    /// The keys of the scripts, in their order. The hash tag keeps them in one slot of a cluster for any name: it
    /// begins with fixed text, so it is never empty, and all four keys share it.
    pub fn keys(&self) -> [String; 4] {
        ["holder", "queue", "tickets", "wake_tokens"].map(|part| format!("ioc:{{lock:{self}}}:{part}"))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
