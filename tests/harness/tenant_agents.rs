//! Agents of tenants for tests about what becomes of their work: each plays the script of the session that it gets.

use std::sync::Arc;

use shared::{
    agents::opencode::{self, OfTenants},
    app::Settings,
    kernel::{clock::Clock, encryption::Pepper, id::AgentId},
};

use crate::{PEPPER, Tenant, TestApp, superuser::Superuser};

/// The runtime for the OpenCode servers of tenants.
pub(crate) fn opencode(workspaces: &str, clock: &Clock, settings: &Settings) -> Arc<OfTenants> {
    let common = opencode::Settings::new("", "", workspaces);
    let pepper = Pepper(PEPPER.as_bytes().to_vec());
    Arc::new(OfTenants::new(common, pepper, clock.clone(), settings.outbound.clone()).expect("a runtime"))
}

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
