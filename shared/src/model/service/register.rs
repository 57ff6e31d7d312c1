//! Registering versions: by a job of training, in the transaction that ends it, and by hand.

use serde_json::json;

use crate::{
    app::App,
    audit::{By, Entry},
    auth::Caller,
    clock::Time,
    db::Tx,
    error::{Error, Result},
    event::tenant::{Kind, TenantEvent},
    id::{ModelVersionId, TenantId},
    model::{
        ModelVersion, Registered, Registration, Target, Version,
        name::MadeOf,
        store::{self, Before},
    },
};

/// Registers a version in the caller's transaction. The same job again gets the version that it has; jobs that end at once
/// wait for each other here, so that each gets a number of its own. After the commit the caller rings for those who watch
/// ([`App::tell_tenant`]).
pub async fn register(tx: &mut Tx, tenant_id: TenantId, by: By, now: Time, new: &Registration) -> Result<Registered> {
    store::open(tx, tenant_id, &new.name, &by.actor, now).await?;
    let Before { of_job, newest } = store::before(tx, tenant_id, &new.name, new.job_id).await?;
    if let Some(known) = of_job {
        return Ok(known);
    }
    let version = new.version.clone().unwrap_or_else(|| number(newest.as_ref(), new));
    let id = ModelVersionId::new();
    store::insert(tx, tenant_id, (id, &version), new, (&by.actor, now)).await?;
    let told = json!({"name": new.name.as_str(), "version": version, "version_id": id, "job_id": new.job_id});
    tx.tell(TenantEvent::new(Kind::ModelRegistered, by.actor.clone(), now, told));
    let after = json!({
        "id": id, "base_model": new.base_model, "job_id": new.job_id, "dataset_id": new.dataset_id,
        "model_identifier": new.model_identifier, "provider": new.provider,
    });
    tx.audit(Entry::new(by, now, "model.register", format!("{}@{version}", new.name)).after(after));
    Ok(Registered { id, version: version.to_string() })
}

/// The number that a version gets by what it was made of.
fn number(newest: Option<&ModelVersion>, new: &Registration) -> Version {
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
    Version::after(&newest.version, &old, &new)
}

/// Registers a version that was trained elsewhere.
pub async fn create(app: &App, caller: &Caller, new: &Registration) -> Result<ModelVersion> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let registered = register(&mut tx, caller.tenant_id, caller.into(), app.clock.now(), new).await?;
    let target = Target::Version(registered.version.parse().map_err(Error::internal)?);
    let found = store::target_in(&mut tx, caller.tenant_id, &new.name, &target).await?;
    tx.commit().await?;
    app.tell_tenant(caller.tenant_id).await;
    found.ok_or_else(|| Error::internal("a version that was just registered is gone"))
}
