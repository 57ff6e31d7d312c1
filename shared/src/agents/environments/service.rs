//! The use cases of environments. Changes are made under one lock per tenant, so that it has one default at most.

use serde_json::{Value, json};

use crate::{
    agents::contract::workspace::check_repository_place,
    identity::{
        audit::{self, AuditEntry},
        auth::Caller,
    },
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
        id::{EnvironmentId, TenantId},
    },
    platform::{
        context::Context,
        postgres::{Tx, lock_names},
    },
};

use super::{
    Environment, EnvironmentVersion, MAX_ENVIRONMENTS, TaskEnvironment,
    draft::{EnvironmentInput, EnvironmentPatch},
    reference::{EnvironmentChoice, EnvironmentKey, EnvironmentReference},
    store,
};

/// Parses an environment or a change of one.
pub fn parse_environment(context: &Context, input: EnvironmentInput) -> Result<EnvironmentPatch> {
    EnvironmentPatch::parse(input, |url| check_repository_place(url, &context.outbound_allowed))
}

/// Creates an environment at version 1.
pub async fn create_environment(context: &Context, caller: &Caller, draft: EnvironmentPatch) -> Result<Environment> {
    let now = context.clock.now();
    let is_default = draft.is_default().unwrap_or(false);
    let (name, spec) = draft.into_new()?;
    let environment = Environment {
        id: EnvironmentId::new(),
        name,
        is_default,
        spec,
        version: 1,
        created_by: caller.actor(),
        created_at: now,
        updated_at: now,
    };
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&lock_names::tenant_environments(caller.tenant_id));
    if store::count_environments(&mut tx, caller.tenant_id).await? >= MAX_ENVIRONMENTS {
        let detail = format!("The tenant has {MAX_ENVIRONMENTS} environments already, as many as it may have.");
        return Err(Error::new(Code::QuotaExceeded, detail));
    }
    if environment.is_default {
        take_default(&mut tx, caller, now).await?;
    }
    store::insert_environment(&mut tx, caller.tenant_id, &environment).await?;
    let entry = AuditEntry::new(caller, now, "environment.create", environment.id);
    audit::record(&mut tx, entry.with_after(audit_fields(&environment)));
    tx.commit().await?;
    Ok(environment)
}

/// Takes the mark of the default from the environment that has it.
async fn take_default(tx: &mut Tx, caller: &Caller, now: Time) -> Result<()> {
    if let Some((id, name)) = store::clear_default(tx, caller.tenant_id, now).await? {
        let fields = |is_default: bool| json!({"name": name, "is_default": is_default});
        let entry = AuditEntry::new(caller, now, "environment.update", id);
        audit::record(tx, entry.with_changes(&fields(true), &fields(false)));
    }
    Ok(())
}

pub async fn get_environment(context: &Context, caller: &Caller, id: EnvironmentId) -> Result<Environment> {
    store::find_environment(&context.db, caller.tenant_id, id).await
}

/// A page of environments, newest first.
pub async fn list_environments(
    context: &Context,
    caller: &Caller,
    before: Option<EnvironmentId>,
    most: i64,
) -> Result<Vec<Environment>> {
    store::list_environments(&context.db, caller.tenant_id, before, most).await
}

/// A page of the versions of an environment, newest first.
pub async fn list_versions(
    context: &Context,
    caller: &Caller,
    id: EnvironmentId,
    before: Option<i32>,
    most: i64,
) -> Result<Vec<EnvironmentVersion>> {
    store::find_environment(&context.db, caller.tenant_id, id).await?;
    store::list_versions(&context.db, caller.tenant_id, id, before, most).await
}

/// Changes an environment. With `version`, only if it still has that version. A change of more than the mark of the
/// default is a new version.
pub async fn update_environment(
    context: &Context,
    caller: &Caller,
    id: EnvironmentId,
    patch: EnvironmentPatch,
    version: Option<i64>,
) -> Result<Environment> {
    let now = context.clock.now();
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&lock_names::tenant_environments(caller.tenant_id));
    let before = store::lock_environment(&mut tx, caller.tenant_id, id).await?;
    check_version(&before, version)?;
    let mut environment = before.clone();
    patch.apply(&mut environment)?;
    if environment == before {
        tx.commit().await?;
        return Ok(before);
    }
    let is_new_version = environment.spec != before.spec || environment.name != before.name;
    environment.version += i32::from(is_new_version);
    environment.updated_at = now;
    if environment.is_default && !before.is_default {
        take_default(&mut tx, caller, now).await?;
    }
    let actor = caller.actor();
    store::save_environment(&mut tx, caller.tenant_id, &environment, is_new_version.then_some(&actor)).await?;
    let entry = AuditEntry::new(caller, now, "environment.update", id);
    audit::record(&mut tx, entry.with_changes(&audit_fields(&before), &audit_fields(&environment)));
    tx.commit().await?;
    Ok(environment)
}

/// Deletes an environment with its secrets. Sessions keep the version that they work with.
pub async fn delete_environment(
    context: &Context,
    caller: &Caller,
    id: EnvironmentId,
    version: Option<i64>,
) -> Result<()> {
    let now = context.clock.now();
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&lock_names::tenant_environments(caller.tenant_id));
    let environment = store::lock_environment(&mut tx, caller.tenant_id, id).await?;
    check_version(&environment, version)?;
    store::delete_environment(&mut tx, caller.tenant_id, id, now).await?;
    let entry = AuditEntry::new(caller, now, "environment.delete", id);
    audit::record(&mut tx, entry.with_before(audit_fields(&environment)));
    tx.commit().await
}

fn check_version(environment: &Environment, wanted: Option<i64>) -> Result<()> {
    let version = i64::from(environment.version);
    if wanted.is_some_and(|wanted| wanted != version) {
        return Err(Error::stale_version("environment", version));
    }
    Ok(())
}

/// The fields of an environment in the audit log. The values of variables are left out, because people put secrets
/// there by mistake; so are long texts.
fn audit_fields(environment: &Environment) -> Value {
    let spec = &environment.spec;
    json!({
        "name": environment.name,
        "is_default": environment.is_default,
        "version": environment.version,
        "repositories": spec.repositories,
        "setup_timeout_seconds": spec.setup.as_ref().map(|setup| setup.timeout_seconds),
        "variables": spec.variables.keys().collect::<Vec<_>>(),
        "named_values": spec.secrets,
        "network": spec.network,
        "mcp_servers": spec.mcp_servers.iter().map(|server| &server.name).collect::<Vec<_>>(),
        "cpu": spec.cpu,
        "memory_mb": spec.memory_mb,
        "minimum_isolation": spec.minimum_isolation,
        "agent": spec.agent,
    })
}

/// The version that a new session works with. An environment or a version that there is not is refused as a wrong
/// value of the field `environment`.
pub(crate) async fn resolve_choice(
    tx: &mut Tx,
    tenant_id: TenantId,
    choice: &EnvironmentChoice,
) -> Result<Option<TaskEnvironment>> {
    match choice {
        EnvironmentChoice::None => Ok(None),
        EnvironmentChoice::TenantDefault => store::find_default(tx, tenant_id).await,
        EnvironmentChoice::Pinned(named) => store::find_pinned(tx, tenant_id, named).await.map(Some),
        EnvironmentChoice::Named(reference) => {
            let found = store::find_referenced(tx, tenant_id, reference).await?;
            found.map(Some).ok_or_else(|| unknown_environment(reference))
        }
    }
}

fn unknown_environment(reference: &EnvironmentReference) -> Error {
    let key = match &reference.key {
        EnvironmentKey::Id(id) => id.to_string(),
        EnvironmentKey::Name(name) => name.clone(),
    };
    let version = reference.version.map_or_else(String::new, |version| format!(" with version {version}"));
    let message = format!("there is no environment {key}{version}; GET /api/v1/environments lists them");
    Error::invalid_field("environment", message)
}
