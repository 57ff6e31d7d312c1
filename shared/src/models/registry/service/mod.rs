//! The use cases of the registry. Every change of a model locks its row, which serializes concurrent changes.

mod aliases;
mod register;

use chrono::NaiveDate;
use serde_json::json;

use crate::{
    identity::{
        audit::{self, AuditEntry},
        auth::Caller,
    },
    kernel::{
        error::{Code, Error, Result},
        id::{ModelVersionId, SessionId},
    },
    platform::context::Context,
};

pub use self::{
    aliases::{AliasChange, list_moves, point_alias, point_in, remove_alias, roll_back},
    register::{create, register_version},
};
use super::{
    ModelVersion, Name, Target, Version,
    draft::BaseModelDraft,
    store::{self, BaseModel, Model, ModelFilter, TrainedOn},
};

/// The models of the caller's tenant, by name.
pub async fn list(
    context: &Context,
    caller: &Caller,
    filter: &ModelFilter,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<Model>> {
    store::list_models(&context.db, caller.tenant_id, filter, after, most).await
}

pub async fn get(context: &Context, caller: &Caller, name: &Name) -> Result<Model> {
    store::find_model(&context.db, caller.tenant_id, name).await
}

/// The versions of a model, newest first.
pub async fn list_versions(
    context: &Context,
    caller: &Caller,
    name: &Name,
    archived: Option<bool>,
    (before, most): (Option<ModelVersionId>, i64),
) -> Result<Vec<ModelVersion>> {
    store::list_versions(&context.db, caller.tenant_id, name, archived, before, most).await
}

/// The version that an alias or a number resolves to.
pub async fn get_version(context: &Context, caller: &Caller, name: &Name, target: &Target) -> Result<ModelVersion> {
    store::find_target(&context.db, caller.tenant_id, name, target).await?.ok_or_else(|| store::no_target(name, target))
}

/// The versions that were trained on a session, newest first.
pub async fn trained_on(context: &Context, caller: &Caller, id: SessionId) -> Result<Vec<TrainedOn>> {
    store::trained_on(&context.db, caller.tenant_id, id).await?.ok_or_else(|| Error::session_not_found(id))
}

/// The changeable fields of a version.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// `Some(None)` removes them.
    pub notes: Option<Option<String>>,
    pub archived: Option<bool>,
}

/// Updates a version: its notes, and whether it is archived.
pub async fn patch_version(
    context: &Context,
    caller: &Caller,
    name: &Name,
    version: &Version,
    patch: Patch,
) -> Result<ModelVersion> {
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    store::lock_model(&mut tx, caller.tenant_id, name).await?;
    let target = Target::Version(version.clone());
    let found = store::target_in(&mut tx, caller.tenant_id, name, &target).await?;
    let mut found = found.ok_or_else(|| store::no_target(name, &target))?;
    let (now, before) = (context.clock.now(), audited_fields(&found));
    if let Some(notes) = patch.notes {
        found.notes = notes;
    }
    if let Some(archived) = patch.archived {
        refuse_archiving_aliased(&found, archived)?;
        found.archived_at = archived.then(|| found.archived_at.unwrap_or(now));
    }
    let after = audited_fields(&found);
    if before != after {
        let id = format!("{name}@{version}");
        audit::record(&mut tx, AuditEntry::new(caller, now, "model.update", id).with_changes(&before, &after));
        store::save_version(&mut tx, caller.tenant_id, &found).await?;
    }
    tx.commit().await?;
    Ok(found)
}

fn audited_fields(version: &ModelVersion) -> serde_json::Value {
    json!({"notes": version.notes, "archived": version.archived_at.is_some()})
}

fn refuse_archiving_aliased(version: &ModelVersion, archived: bool) -> Result<()> {
    if !archived || version.aliases.is_empty() {
        return Ok(());
    }
    let detail = format!("Version {} is {}: move it first.", version.version, version.aliases.join(", "));
    Err(Error::new(Code::ModelVersionInUse, detail).with_current(json!({"aliases": version.aliases})))
}

/// The base models of the caller's tenant.
pub async fn base_models(context: &Context, caller: &Caller, after: Option<&str>, most: i64) -> Result<Vec<BaseModel>> {
    store::base_models(&context.db, caller.tenant_id, after, most).await
}

/// Stores facts about a base model.
pub async fn keep_base_model(context: &Context, caller: &Caller, draft: &BaseModelDraft) -> Result<BaseModel> {
    let (now, actor) = (context.clock.now(), caller.actor());
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    let was = store::keep_base_model(&mut tx, caller.tenant_id, draft, (&actor, now)).await?;
    let details = |day: Option<NaiveDate>| json!({"base_model": draft.name, "retires_on": day});
    let entry = AuditEntry::new(caller, now, "model.retirement", &draft.name);
    audit::record(&mut tx, entry.with_before(details(was)).with_after(details(draft.retires_on)));
    tx.commit().await?;
    let kept = store::base_model(&context.db, caller.tenant_id, &draft.name).await?;
    kept.ok_or_else(|| Error::internal("a base model that was just kept is gone"))
}
