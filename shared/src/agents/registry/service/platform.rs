//! Changes of an admin to agents of the platform.

use std::time::Duration;

use crate::{
    agents::{
        registry::{State, draft::AgentPatch, store},
        services::AgentServices,
    },
    identity::{
        audit::{self, AuditEntry},
        auth::{Caller, Role},
    },
    kernel::{
        error::{Error, Result},
        id::AgentId,
    },
    platform::{postgres::lock_names, queue::job::Job},
};

use super::{AgentDetails, audit_fields, not_found, not_own, with_details};

/// Changes the state or the trust of an agent of the platform; with `version`, only if that is its current version. It
/// holds for all tenants, so only an admin may do it.
pub(super) async fn patch_platform_agent(
    services: &AgentServices,
    caller: &Caller,
    id: AgentId,
    patch: AgentPatch,
    version: Option<i64>,
) -> Result<AgentDetails> {
    let before = store::find_agent(&services.db, caller.tenant_id, id).await?;
    if before.state == State::Deregistered {
        return Err(not_found(id));
    }
    if !before.is_of_platform() || caller.role < Role::Admin {
        return Err(not_own(&before));
    }
    if version.is_some_and(|wanted| wanted != before.version) {
        return Err(Error::stale_version("agent", before.version));
    }
    let (mut agent, now) = (before.clone(), services.clock.now());
    patch.apply_to_platform_agent(&mut agent)?;
    if agent != before {
        let mut tx = services.db.tenant(caller.tenant_id).await?;
        // Sessions that start later see the new state.
        tx.take_lock(&lock_names::agent_turns(id));
        let entry = AuditEntry::new(caller, now, "agent.update", id);
        audit::record(&mut tx, entry.with_changes(&audit_fields(&before), &audit_fields(&agent)));
        if !store::update_platform_agent(&mut tx, &agent, now).await? {
            return Err(not_found(id));
        }
        tx.commit().await?;
        agent.version += 1;
        agent.updated_at = now;
        if agent.state == State::Active {
            services.enqueue(&[(Job::admit(caller.tenant_id, id), Duration::ZERO)]).await;
        }
    }
    Ok(with_details(services, caller, vec![agent]).await?.remove(0))
}
