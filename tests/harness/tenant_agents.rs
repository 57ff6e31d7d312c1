//! Agents of tenants for tests about what becomes of their work: each plays the script of the session that it gets.

use shared::kernel::id::AgentId;

use crate::{Tenant, TestApp, superuser::Superuser};

impl TestApp {
    /// An agent of a tenant that its lead trusts; `set` names columns of its row, such as
    /// `capacity = 1`.
    pub async fn agent(&self, owner: &Superuser, tenant: &Tenant, name: &str, set: &str) -> String {
        let id = AgentId::new();
        let set = if set.is_empty() { "capacity = 5" } else { set };
        owner
            .run(&format!(
                "insert into agents (id, tenant_id, name, kind, capacity, trusted, created_at, updated_at)
                 values ('{id}', '{}', '{name}', 'scripted', 5, true, now(), now());
                 update agents set {set} where id = '{id}'",
                tenant.id
            ))
            .await;
        id.to_string()
    }
}

impl Superuser {
    /// Takes the platform's agents out of the choice.
    pub async fn without_the_platforms_agents(&self) {
        self.run("update agents set state = 'maintenance' where tenant_id is null and name <> 'manual'").await;
    }
}
