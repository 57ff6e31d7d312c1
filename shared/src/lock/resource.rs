//! What a lock is on: a name that carries its tenant, and the Redis keys that come of it.

use std::{fmt, sync::Arc};

use crate::id::{SessionId, TenantId};

/// Something that one holder at a time may work on.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Resource(Arc<str>);

impl Resource {
    /// Something of the whole installation.
    pub fn new(name: &str) -> Self {
        Self(format!("all:{name}").into())
    }

    /// Something of one tenant: what kind of thing, and which.
    pub fn of_tenant(tenant_id: TenantId, kind: &str, name: &str) -> Self {
        Self(format!("tenant:{tenant_id}:{kind}:{name}").into())
    }

    /// A session: one step at a time.
    pub fn session(tenant_id: TenantId, session_id: SessionId) -> Self {
        Self::of_tenant(tenant_id, "session", &session_id.to_string())
    }

    /// A workspace, by its [`key`](crate::session::workspace::Workspace::key): one session at a time.
    pub fn workspace(tenant_id: TenantId, key: &str) -> Self {
        Self::of_tenant(tenant_id, "workspace", key)
    }

    /// The keys of the scripts, in their order. The hash tag keeps them in one slot of a cluster, whatever the name
    /// holds: it begins with text of ours, so it is never empty, and all four share all before its end.
    pub fn keys(&self) -> [String; 4] {
        ["holder", "queue", "tickets", "bells"].map(|part| format!("ioc:{{lock:{self}}}:{part}"))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
