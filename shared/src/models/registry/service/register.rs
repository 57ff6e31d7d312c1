//! Registers versions: by a training job in the transaction that completes it, and by callers.

use serde_json::json;

use crate::{
    events::log::{
        self,
        tenant::{TenantEvent, TenantEventType},
    },
    identity::{
        audit::{self, AuditEntry},
        auth::Caller,
    },
    kernel::{
        actor::By,
        clock::Time,
        error::{Error, Result},
        id::{ModelVersionId, TenantId},
    },
    models::registry::{
        ModelVersion, ModelVersionRegistration, RegisteredVersion, Target, Version,
        name::MadeOf,
        store::{self, Before},
    },
    platform::context::Context,
    platform::postgres::Tx,
};

/// Registers a version in the caller's transaction. A repeated call of the same job returns its version. Concurrent
/// calls wait for each other here, so each version gets its own number. After the commit, the caller notifies the
/// tenant ([`Context::notify_tenant`]).
pub async fn register_version(
    tx: &mut Tx,
    tenant_id: TenantId,
    by: By,
    now: Time,
    new: &ModelVersionRegistration,
) -> Result<RegisteredVersion> {
    store::insert_model(tx, tenant_id, &new.name, &by.actor, now).await?;
    let Before { of_job, newest } = store::find_registered(tx, tenant_id, &new.name, new.job_id).await?;
    if let Some(known) = of_job {
        return Ok(known);
    }
    let version = new.version.clone().unwrap_or_else(|| next_number(newest.as_ref(), new));
    let id = ModelVersionId::new();
    store::insert(tx, tenant_id, (id, &version), new, (&by.actor, now)).await?;
    let details = json!({"name": new.name.as_str(), "version": version, "version_id": id, "job_id": new.job_id});
    log::publish(tx, TenantEvent::new(TenantEventType::ModelRegistered, by.actor.clone(), now, details));
    let after = json!({
        "id": id, "base_model": new.base_model, "job_id": new.job_id, "dataset_id": new.dataset_id,
        "model_identifier": new.model_identifier, "provider": new.provider,
    });
    audit::record(tx, AuditEntry::new(by, now, "model.register", format!("{}@{version}", new.name)).with_after(after));
    Ok(RegisteredVersion { id, version: version.to_string() })
}

/// The number of a version, derived from its inputs.
fn next_number(newest: Option<&ModelVersion>, new: &ModelVersionRegistration) -> Version {
    let Some(newest) = newest else { return Version::FIRST };
    let old = MadeOf {
        base_model: &newest.base_model,
        dataset_sha256: newest.dataset_sha256.as_deref(),
        recipe_hash: newest.recipe_hash.as_deref(),
    };
    let new = MadeOf {
        base_model: &new.base_model,
        dataset_sha256: new.dataset_sha256.as_deref(),
        recipe_hash: new.recipe_hash.as_deref(),
    };
    Version::next_after(&newest.version, &old, &new)
}

/// Registers an externally trained version.
pub async fn create(context: &Context, caller: &Caller, new: &ModelVersionRegistration) -> Result<ModelVersion> {
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    let registered = register_version(&mut tx, caller.tenant_id, caller.into(), context.clock.now(), new).await?;
    let target = Target::Version(registered.version.parse().map_err(Error::internal)?);
    let found = store::target_in(&mut tx, caller.tenant_id, &new.name, &target).await?;
    tx.commit().await?;
    context.notify_tenant(caller.tenant_id).await;
    found.ok_or_else(|| Error::internal("a version that was just registered is gone"))
}
