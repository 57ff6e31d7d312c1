//! The secrets of a task: handed to the agent that holds its lease, if the tenant trusts the agent, until it reports
//! something. ADR 30 says who gets them and why.

use serde_json::json;
use tokio_postgres::types::Json;

use crate::{
    agents::services::AgentServices,
    identity::{
        audit::{self, AuditEntry},
        auth::AgentCaller,
        secrets::service::{RevealedSecrets, SecretRequest, reveal_secrets},
    },
    kernel::{
        actor::Actor,
        error::{Code, Error, Result},
        id::{EnvironmentId, ExternalTaskId, TenantId},
    },
    platform::postgres::Tx,
};

use super::{
    calls::{lease_lost, record_call},
    lease::{find_leased, is_trusted},
};

/// The secrets that the environment of a task names. They can be asked for again until the first report with content
/// under the same lease: an answer may be lost, but whoever steals the token of an agent at work gets nothing.
pub async fn issue_secrets(
    services: &AgentServices,
    agent: &AgentCaller,
    task: ExternalTaskId,
    lease_token: i64,
) -> Result<RevealedSecrets> {
    record_call(services, agent, false).await?;
    let owner = find_leased(services, agent, task, lease_token).await?;
    let now = services.clock.now();
    let mut tx = services.db.tenant(owner.tenant_id).await?;
    if !is_trusted(&mut tx, owner.tenant_id, agent).await? {
        return Err(Error::new(Code::SecretsForbidden, "The tenant does not trust this agent with its secrets."));
    }
    let task = find_task_state(&mut tx, owner.tenant_id, task, lease_token).await?.ok_or_else(lease_lost)?;
    if task.has_reported {
        return Err(Error::new(Code::SecretsClosed, "The agent has reported under this lease already."));
    }
    let Some(environment_id) = task.environment_id else {
        tx.commit().await?;
        return Ok(RevealedSecrets { secrets: Vec::new(), missing: Vec::new() });
    };
    let names = &task.names;
    let request = SecretRequest { tenant_id: owner.tenant_id, environment_id, created_by: &task.created_by, names };
    let revealed = reveal_secrets(&mut tx, &services.pepper, &request, now).await?;
    let issued: Vec<_> = revealed.secrets.iter().map(|one| one.secret.name.as_str()).collect();
    let details = json!({"lease_token": lease_token, "names": issued, "missing": revealed.missing});
    let entry = AuditEntry::new(agent, now, "session.issue_secrets", owner.session_id);
    audit::record(&mut tx, entry.with_after(details));
    tx.commit().await?;
    Ok(revealed)
}

/// What a task says about its secrets.
struct TaskSecrets {
    environment_id: Option<EnvironmentId>,
    names: Vec<String>,
    /// The actor that created the session.
    created_by: Actor,
    /// Whether a report with content came under this lease.
    has_reported: bool,
}

/// `None` if the lease was lost meanwhile. The row is locked, so that no report is accepted in between.
async fn find_task_state(
    tx: &mut Tx,
    tenant_id: TenantId,
    task: ExternalTaskId,
    lease_token: i64,
) -> Result<Option<TaskSecrets>> {
    let sql = "select (t.assignment #>> '{context,environment,id}')::uuid as environment_id,
                   coalesce(t.assignment #> '{context,environment,secrets}', '[]') as names, s.created_by,
                   exists (select 1 from agent_task_reports r where r.tenant_id = t.tenant_id and r.task_id = t.id
                           and r.lease_token = t.lease_token) as has_reported
               from agent_tasks t join sessions s on s.tenant_id = t.tenant_id and s.id = t.session_id
               where t.tenant_id = $1 and t.id = $2 and t.status = 'leased' and t.lease_token = $3
               for share of t";
    let Some(row) = tx.query_opt(sql, &[&tenant_id, &task, &lease_token]).await? else { return Ok(None) };
    let (Json(names), Json(created_by)) = (row.try_get("names")?, row.try_get("created_by")?);
    Ok(Some(TaskSecrets {
        environment_id: row.try_get("environment_id")?,
        names,
        created_by,
        has_reported: row.try_get("has_reported")?,
    }))
}
