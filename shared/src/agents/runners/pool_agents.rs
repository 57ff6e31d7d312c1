//! The agents of a pool: one for each program, created when the first runner offers it. They survive their runners.

use std::collections::BTreeMap;

use serde_json::json;
use tokio_postgres::types::{Json, ToSql};

use crate::{
    agents::{
        registry::{AgentType, Capability, Kind},
        services::AgentServices,
    },
    events::log::{
        self,
        tenant::{TenantEvent, TenantEventType},
    },
    identity::{
        audit::{self, AuditEntry},
        tenants,
    },
    kernel::{
        actor::By,
        clock::Time,
        error::{Code, Error, Result},
        id::{AgentId, TenantId},
    },
    platform::postgres::{OnConstraint, Tx},
};

use super::RunnerProgram;

/// The agents of a pool for these programs, by program. Those that do not exist are created: trusted, because a lead
/// admitted the runner. The transaction holds the lock of the tenant's agents.
pub(super) async fn ensure_pool_agents(
    services: &AgentServices,
    tx: &mut Tx,
    (tenant_id, pool): (TenantId, &str),
    programs: &[RunnerProgram],
    by: &By,
) -> Result<BTreeMap<String, AgentId>> {
    let now = services.clock.now();
    let mut agents = find_pool_agents(tx, pool).await?;
    for program in programs {
        if let Some(id) = agents.get(&program.program) {
            update_version(tx, *id, program, now).await?;
            continue;
        }
        tenants::service::check_new_agent(services, tx, tenant_id).await?;
        let id = AgentId::new();
        let name = agent_name(pool, &program.program);
        insert_pool_agent(tx, (id, &name), (pool, program), by, now).await?;
        let fields =
            json!({"name": name, "kind": Kind::Eap, "pool": pool, "program": program.program, "trusted": true});
        audit::record(tx, AuditEntry::new(by.clone(), now, "agent.register", id).with_after(fields));
        let payload = json!({"agent_id": id, "name": name, "kind": Kind::Eap, "agent_type": AgentType::Implementer});
        log::publish(tx, TenantEvent::new(TenantEventType::AgentRegistered, by.actor.clone(), now, payload));
        agents.insert(program.program.clone(), id);
    }
    agents.retain(|program, _| programs.iter().any(|offered| offered.program == *program));
    Ok(agents)
}

/// The name of the agent for a program of a pool, such as `BUILD-FARM-OPENCODE`.
fn agent_name(pool: &str, program: &str) -> String {
    format!("{pool}-{program}").to_ascii_uppercase()
}

async fn find_pool_agents(tx: &mut Tx, pool: &str) -> Result<BTreeMap<String, AgentId>> {
    let sql =
        "select program, id from agents where tenant_id = app_tenant_id() and pool = $1 and state <> 'deregistered'";
    let rows = tx.query(sql, &[&pool]).await?;
    rows.iter().map(|row| Ok((row.try_get("program")?, row.try_get("id")?))).collect()
}

/// The version of the program is the one that the last runner to register had.
async fn update_version(tx: &mut Tx, id: AgentId, program: &RunnerProgram, now: Time) -> Result<()> {
    let sql = "update agents set software_version = $2, version = version + 1, updated_at = $3
               where tenant_id = app_tenant_id() and id = $1 and $2::text is not null and software_version is distinct from $2";
    tx.query(sql, &[&id, &program.version, &now]).await?;
    Ok(())
}

async fn insert_pool_agent(
    tx: &mut Tx,
    (id, name): (AgentId, &str),
    (pool, program): (&str, &RunnerProgram),
    by: &By,
    now: Time,
) -> Result<()> {
    let sql =
        "insert into agents (id, tenant_id, name, kind, agent_type, capacity, capabilities, skills, software_version,
                   trusted, liveness, last_heartbeat_at, pool, program, created_by, created_at, updated_at)
               values ($1, app_tenant_id(), $2, $3, $4, 0, $5, array[$9::text], $6, true, 'alive', $7, $8, $9, $10, $7, $7)";
    let (kind, agent_type) = (Kind::Eap.name(), AgentType::Implementer.name());
    // They are general: their capabilities depend on the model. Environments ask for their program as a skill.
    let capabilities = &Capability::ALL.map(Capability::name)[..];
    let created_by = Json(&by.actor);
    let params: [&(dyn ToSql + Sync); 10] =
        [&id, &name, &kind, &agent_type, &capabilities, &program.version, &now, &pool, &program.program, &created_by];
    tx.query(sql, &params).await.on_constraint("agents_name", || {
        Error::new(
            Code::AlreadyExists,
            format!("The tenant has an agent {name} already, which is not of the pool {pool}."),
        )
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_of_a_program_is_named_after_its_pool() {
        assert_eq!(agent_name("build-farm", "claude_code"), "BUILD-FARM-CLAUDE_CODE");
    }
}
