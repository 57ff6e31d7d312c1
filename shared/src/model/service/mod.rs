//! The use cases of the registry. Whoever changes a model holds its row, so that two at once take turns.

mod aliases;
mod register;

use chrono::NaiveDate;
use serde_json::json;

use crate::{
    app::App,
    audit::Entry,
    auth::Caller,
    error::{Code, Error, Result},
    id::{ModelVersionId, SessionId},
    session,
};

pub use self::{
    aliases::{Moved, history, point, point_in, remove, roll_back},
    register::{create, register},
};
use super::{
    ModelVersion, Name, Target, Version,
    draft::BaseModelDraft,
    store::{self, BaseModel, Filter, Model, TrainedOn},
};

/// The models of the caller's tenant, by name.
pub async fn list(app: &App, caller: &Caller, filter: &Filter, after: Option<&str>, most: i64) -> Result<Vec<Model>> {
    store::models(&app.db, caller.tenant_id, filter, after, most).await
}

pub async fn get(app: &App, caller: &Caller, name: &Name) -> Result<Model> {
    store::find_model(&app.db, caller.tenant_id, name).await
}

/// The versions of a model, newest first.
pub async fn versions(
    app: &App,
    caller: &Caller,
    name: &Name,
    archived: Option<bool>,
    (before, most): (Option<ModelVersionId>, i64),
) -> Result<Vec<ModelVersion>> {
    store::versions(&app.db, caller.tenant_id, name, archived, before, most).await
}

/// The version that an alias or a number of a model leads to.
pub async fn version(app: &App, caller: &Caller, name: &Name, target: &Target) -> Result<ModelVersion> {
    store::target(&app.db, caller.tenant_id, name, target).await?.ok_or_else(|| store::no_target(name, target))
}

/// The versions that were trained on a session, newest first.
pub async fn trained_on(app: &App, caller: &Caller, id: SessionId) -> Result<Vec<TrainedOn>> {
    store::trained_on(&app.db, caller.tenant_id, id).await?.ok_or_else(|| session::store::not_found(id))
}

/// What may be changed of a version.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// `Some(None)` removes them.
    pub notes: Option<Option<String>>,
    pub archived: Option<bool>,
}

/// Changes what may change of a version: its notes, and whether it is archived.
pub async fn patch(app: &App, caller: &Caller, name: &Name, version: &Version, patch: Patch) -> Result<ModelVersion> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    store::lock(&mut tx, caller.tenant_id, name).await?;
    let target = Target::Version(version.clone());
    let found = store::target_in(&mut tx, caller.tenant_id, name, &target).await?;
    let mut found = found.ok_or_else(|| store::no_target(name, &target))?;
    let (now, before) = (app.clock.now(), audited(&found));
    if let Some(notes) = patch.notes {
        found.notes = notes;
    }
    if let Some(archived) = patch.archived {
        refuse_archiving_aliased(&found, archived)?;
        found.archived_at = archived.then(|| found.archived_at.unwrap_or(now));
    }
    let after = audited(&found);
    if before != after {
        let id = format!("{name}@{version}");
        tx.audit(Entry::new(caller, now, "model.update", id).changes(&before, &after));
        store::save(&mut tx, caller.tenant_id, &found).await?;
    }
    tx.commit().await?;
    Ok(found)
}

fn audited(version: &ModelVersion) -> serde_json::Value {
    json!({"notes": version.notes, "archived": version.archived_at.is_some()})
}

fn refuse_archiving_aliased(version: &ModelVersion, archived: bool) -> Result<()> {
    if !archived || version.aliases.is_empty() {
        return Ok(());
    }
    let detail = format!("Version {} is {}: move it first.", version.version, version.aliases.join(", "));
    Err(Error::new(Code::ModelVersionInUse, detail).with_current(json!({"aliases": version.aliases})))
}

/// The models that the caller's tenant trains on.
pub async fn base_models(app: &App, caller: &Caller, after: Option<&str>, most: i64) -> Result<Vec<BaseModel>> {
    store::base_models(&app.db, caller.tenant_id, after, most).await
}

/// Keeps what is known of a base model.
pub async fn keep_base_model(app: &App, caller: &Caller, draft: &BaseModelDraft) -> Result<BaseModel> {
    let (now, actor) = (app.clock.now(), caller.actor());
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let was = store::keep_base_model(&mut tx, caller.tenant_id, draft, (&actor, now)).await?;
    let told = |day: Option<NaiveDate>| json!({"base_model": draft.name, "retires_on": day});
    let entry = Entry::new(caller, now, "model.retirement", &draft.name);
    tx.audit(entry.before(told(was)).after(told(draft.retires_on)));
    tx.commit().await?;
    let kept = store::base_model(&app.db, caller.tenant_id, &draft.name).await?;
    kept.ok_or_else(|| Error::internal("a base model that was just kept is gone"))
}
