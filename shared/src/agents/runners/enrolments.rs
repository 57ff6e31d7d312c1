//! The use cases of enrolments: a lead creates them, lists them and ends them.

use serde_json::json;

use crate::{
    agents::services::AgentServices,
    identity::{
        audit::{self, AuditEntry},
        auth::{Caller, runner_credentials::generate_enrolment},
    },
    kernel::{
        error::{Code, Error, Result},
        id::RunnerEnrolmentId,
    },
};

use super::{
    enrolment::{Enrolment, EnrolmentRequest, MAX_ENROLMENTS},
    enrolment_store as store,
};

/// Creates an enrolment. Returns it with its token, which exists only here.
pub async fn create(
    services: &AgentServices,
    caller: &Caller,
    request: EnrolmentRequest,
) -> Result<(Enrolment, String)> {
    let now = services.clock.now();
    let generated = generate_enrolment(services);
    let enrolment = Enrolment {
        id: generated.id,
        pool: request.pool,
        uses: request.uses,
        runners: 0,
        expires_at: now + request.validity,
        created_by: caller.actor(),
        created_at: now,
    };
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    if !store::insert(&mut tx, &enrolment, &services.environment, &generated.hash).await? {
        let detail = format!("The tenant has {MAX_ENROLMENTS} valid enrolments; wait until one ends, or delete one.");
        return Err(Error::new(Code::QuotaExceeded, detail));
    }
    let after = json!({"pool": enrolment.pool, "uses": enrolment.uses, "expires_at": enrolment.expires_at});
    audit::record(&mut tx, AuditEntry::new(caller, now, "runner_enrolment.create", enrolment.id).with_after(after));
    tx.commit().await?;
    Ok((enrolment, generated.text))
}

/// A page of the valid enrolments of the caller's tenant, newest first.
pub async fn list(
    services: &AgentServices,
    caller: &Caller,
    before: Option<RunnerEnrolmentId>,
    limit: i64,
) -> Result<Vec<Enrolment>> {
    store::list(&services.db, caller.tenant_id, services.clock.now(), before, limit).await
}

/// Ends a valid enrolment. Runners that enrolled with it stay.
pub async fn delete(services: &AgentServices, caller: &Caller, id: RunnerEnrolmentId) -> Result<()> {
    let now = services.clock.now();
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    let Some(pool) = store::delete(&mut tx, id, now).await? else {
        return Err(Error::new(Code::EnrolmentNotFound, format!("There is no enrolment {id}.")));
    };
    let entry = AuditEntry::new(caller, now, "runner_enrolment.delete", id);
    audit::record(&mut tx, entry.with_before(json!({"pool": pool})));
    tx.commit().await
}
