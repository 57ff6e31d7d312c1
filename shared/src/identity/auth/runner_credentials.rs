//! The credentials of runners: verifying, creating and rotating them, and verifying the tokens with which runners
//! enrol.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    identity::{
        audit::{self, AuditEntry},
        services::IdentityServices,
    },
    kernel::{
        error::{Code, Error, Result},
        id::{RunnerCredentialId, RunnerEnrolmentId, RunnerId},
    },
    platform::postgres::Tx,
};

use super::{
    caller::{CallOrigin, check_named_tenant, invalid_credential, tenant_inactive},
    key::{PresentedKey, generate_enrolment_token, generate_runner_credential},
    runner_caller::{EnrolmentCaller, RunnerCaller},
    runner_credential_store::{self as store, RunnerCredentialInsert},
};

/// How long a credential is valid. A runner rotates it each day; one that was switched off for longer enrols anew.
pub const CREDENTIAL_LIFETIME: TimeDelta = TimeDelta::days(30);

/// How long a rotated credential stays valid, so that its runner can switch to the new one without a gap.
pub const CREDENTIAL_OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// Verifies the credential of a runner.
pub(super) async fn verify_runner_credential(
    services: &IdentityServices,
    text: &str,
    tenant: Option<&str>,
    call: CallOrigin,
) -> Result<RunnerCaller> {
    let presented = PresentedKey::parse_runner(text).ok_or_else(invalid_credential)?;
    let credential_id = RunnerCredentialId(presented.id.0);
    let known = store::find_runner_credential(&services.db, credential_id).await?.ok_or_else(invalid_credential)?;
    let now = services.clock.now();
    if presented.environment != known.environment || !presented.matches(&services.pepper, &known.secret_hash) {
        return Err(invalid_credential());
    }
    if known.is_removed {
        return Err(Error::new(Code::RunnerRemoved, "The runner of this credential was removed."));
    }
    if known.expires_at <= now {
        return Err(invalid_credential());
    }
    check_named_tenant(tenant, &known.tenant_slug, known.tenant_id)?;
    if !known.tenant_active {
        return Err(tenant_inactive());
    }
    if !known.is_used {
        store::record_runner_credential_use(&services.db, credential_id, now).await?;
    }
    Ok(RunnerCaller {
        tenant_id: known.tenant_id,
        runner_id: known.runner_id,
        credential_id,
        name: known.runner_name,
        pool: known.pool,
        agents: Arc::new(known.agents),
        request_id: call.request_id,
        address: call.address,
    })
}

/// Verifies a token with which runners enrol. Whether it is still good for one is decided when the runner is written.
pub(super) async fn verify_enrolment_token(
    services: &IdentityServices,
    text: &str,
    tenant: Option<&str>,
    call: CallOrigin,
) -> Result<EnrolmentCaller> {
    let presented = PresentedKey::parse_enrolment(text).ok_or_else(invalid_credential)?;
    let enrolment_id = RunnerEnrolmentId(presented.id.0);
    let known = store::find_runner_enrolment(&services.db, enrolment_id).await?.ok_or_else(invalid_credential)?;
    if presented.environment != known.environment
        || !presented.matches(&services.pepper, &known.secret_hash)
        || known.expires_at <= services.clock.now()
        || known.is_used_up
    {
        return Err(invalid_credential());
    }
    check_named_tenant(tenant, &known.tenant_slug, known.tenant_id)?;
    if !known.tenant_active {
        return Err(tenant_inactive());
    }
    Ok(EnrolmentCaller {
        tenant_id: known.tenant_id,
        enrolment_id,
        pool: known.pool,
        created_by: known.created_by,
        request_id: call.request_id,
        address: call.address,
    })
}

/// The error for an enrolment that was good for one runner, when another runner came first.
#[track_caller]
pub fn used_enrolment() -> Error {
    invalid_credential()
}

/// A token with which runners enrol, before it is stored. Its text is returned only here.
pub struct GeneratedEnrolment {
    pub id: RunnerEnrolmentId,
    pub text: String,
    pub hash: Vec<u8>,
}

pub fn generate_enrolment(services: &IdentityServices) -> GeneratedEnrolment {
    let generated = generate_enrolment_token(&services.pepper, &services.environment);
    GeneratedEnrolment { id: RunnerEnrolmentId(generated.id.0), text: generated.text, hash: generated.hash }
}

/// Creates a credential for a runner of the transaction's tenant. Returns its text, which exists only here.
pub async fn issue_runner_credential(services: &IdentityServices, tx: &mut Tx, runner_id: RunnerId) -> Result<String> {
    let generated = generate_runner_credential(&services.pepper, &services.environment);
    insert(services, tx, runner_id, RunnerCredentialId(generated.id.0), &generated.hash).await?;
    Ok(generated.text)
}

/// Replaces the credential of a call, which stays valid for [`CREDENTIAL_OVERLAP`]. A rotation can be repeated until
/// the new credential is used: the first answer was lost. After that the old one cannot be rotated, so a leaked old
/// credential is worthless.
pub async fn rotate_runner_credential(services: &IdentityServices, runner: &RunnerCaller) -> Result<String> {
    let now = services.clock.now();
    let generated = generate_runner_credential(&services.pepper, &services.environment);
    let id = RunnerCredentialId(generated.id.0);
    let mut tx = services.db.tenant(runner.tenant_id).await?;
    let until = now + CREDENTIAL_OVERLAP;
    if !store::replace_runner_credential(&mut tx, runner.credential_id, id, now, until).await? {
        return Err(invalid_credential());
    }
    insert(services, &mut tx, runner.runner_id, id, &generated.hash).await?;
    let entry = AuditEntry::new(runner, now, "runner.rotate_credential", runner.runner_id);
    audit::record(&mut tx, entry.with_after(json!({"replaced": runner.credential_id, "by": id})));
    tx.commit().await?;
    Ok(generated.text)
}

async fn insert(
    services: &IdentityServices,
    tx: &mut Tx,
    runner_id: RunnerId,
    id: RunnerCredentialId,
    hash: &[u8],
) -> Result<()> {
    let now = services.clock.now();
    let insert = RunnerCredentialInsert {
        id,
        runner_id,
        environment: &services.environment,
        secret_hash: hash,
        expires_at: now + CREDENTIAL_LIFETIME,
        created_at: now,
    };
    store::insert_runner_credential(tx, &insert).await
}
