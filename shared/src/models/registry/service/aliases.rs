//! Aliases: set, removed, and rolled back move by move.

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
        error::{Code, Error, Result},
        id::{ModelVersionId, TenantId},
    },
    models::registry::{
        Alias, ModelVersion, Name, Target, Version,
        store::{self, Move, NewMove},
    },
    platform::context::Context,
    platform::postgres::Tx,
};

/// The target of an alias after a move.
#[derive(Clone, Debug)]
pub struct AliasChange {
    pub alias: String,
    /// `None` when it was removed.
    pub version: Option<ModelVersion>,
    /// The previous target.
    pub was: Option<String>,
}

/// Points an alias at a version. Does nothing if it points there already.
pub async fn point_alias(
    context: &Context,
    caller: &Caller,
    name: &Name,
    alias: &Alias,
    version: &Version,
) -> Result<AliasChange> {
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    let moved = point_in(&mut tx, caller.tenant_id, caller.into(), context.clock.now(), (name, alias, version)).await?;
    tx.commit().await?;
    context.notify_tenant(caller.tenant_id).await;
    Ok(moved)
}

/// As [`point_alias`], in the caller's transaction.
pub async fn point_in(
    tx: &mut Tx,
    tenant_id: TenantId,
    by: By,
    now: Time,
    (name, alias, version): (&Name, &Alias, &Version),
) -> Result<AliasChange> {
    store::lock_model(tx, tenant_id, name).await?;
    let found = store::target_in(tx, tenant_id, name, &Target::Version(version.clone())).await?;
    let found =
        found.ok_or_else(|| Error::invalid_field("version", format!("the model {name} has no version {version}")))?;
    let was = store::find_alias(tx, tenant_id, name, alias).await?;
    record_move(tx, tenant_id, by, now, (name, alias), "move", was, Some(found)).await
}

/// Removes an alias. Sessions that name it fail until it is set again.
pub async fn remove_alias(context: &Context, caller: &Caller, name: &Name, alias: &Alias) -> Result<()> {
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    store::lock_model(&mut tx, caller.tenant_id, name).await?;
    let was = store::find_alias(&mut tx, caller.tenant_id, name, alias).await?;
    let was = was.ok_or_else(|| store::no_target(name, &Target::Alias(alias.clone())))?;
    let now = context.clock.now();
    record_move(&mut tx, caller.tenant_id, caller.into(), now, (name, alias), "remove", Some(was), None).await?;
    tx.commit().await?;
    context.notify_tenant(caller.tenant_id).await;
    Ok(())
}

/// Undoes the newest move of an alias that is not undone yet.
pub async fn roll_back(context: &Context, caller: &Caller, name: &Name, alias: &Alias) -> Result<AliasChange> {
    let mut tx = context.db.tenant(caller.tenant_id).await?;
    store::lock_model(&mut tx, caller.tenant_id, name).await?;
    let was = store::find_alias(&mut tx, caller.tenant_id, name, alias).await?;
    let before = store::undo_next(&mut tx, caller.tenant_id, name, alias).await?;
    let Some(before) = before.flatten() else {
        return Err(match was {
            None => store::no_target(name, &Target::Alias(alias.clone())),
            Some(_) => Error::new(Code::NoEarlierVersion, format!("{alias} of {name} never pointed at anything else.")),
        });
    };
    let found = store::by_id(&mut tx, caller.tenant_id, before).await?;
    let now = context.clock.now();
    let moved =
        record_move(&mut tx, caller.tenant_id, caller.into(), now, (name, alias), "rollback", was, Some(found)).await?;
    tx.commit().await?;
    context.notify_tenant(caller.tenant_id).await;
    Ok(moved)
}

/// Sets the target of an alias, and records the move.
#[expect(clippy::too_many_arguments, reason = "all of one move: who, when, which, how, from and to")]
async fn record_move(
    tx: &mut Tx,
    tenant_id: TenantId,
    by: By,
    now: Time,
    (name, alias): (&Name, &Alias),
    verb: &'static str,
    was: Option<(ModelVersionId, String)>,
    becomes: Option<ModelVersion>,
) -> Result<AliasChange> {
    let (was_id, was) = was.unzip();
    let mut moved = AliasChange { alias: alias.to_string(), version: becomes, was };
    let id = moved.version.as_ref().map(|version| version.id);
    if let Some(version) = moved.version.as_mut() {
        refuse_archived(version)?;
        if was_id == Some(version.id) {
            return Ok(moved);
        }
        store::point_alias(tx, tenant_id, (name, alias), version.id, (&by.actor, now)).await?;
        version.aliases.push(alias.to_string());
    } else {
        store::remove_alias(tx, tenant_id, name, alias).await?;
    }
    let new = NewMove { verb, was: was_id, becomes: id, actor: &by.actor, at: now };
    store::append_move(tx, tenant_id, (name, alias), new).await?;
    let details = |version: Option<String>| json!({"version": version});
    let number = moved.version.as_ref().map(|version| version.version.to_string());
    let payload =
        json!({"name": name.as_str(), "alias": alias.as_str(), "version": number, "previous_version": moved.was});
    log::publish(tx, TenantEvent::new(TenantEventType::ModelAliasChanged, by.actor.clone(), now, payload));
    let entry = AuditEntry::new(by, now, format!("model.alias_{verb}"), format!("{name}@{alias}"));
    audit::record(tx, entry.with_before(details(moved.was.clone())).with_after(details(number)));
    Ok(moved)
}

fn refuse_archived(version: &ModelVersion) -> Result<()> {
    if version.archived_at.is_none() {
        return Ok(());
    }
    let detail = format!("Version {} is archived: no alias can point at it.", version.version);
    Err(Error::new(Code::ModelVersionArchived, detail))
}

/// The moves of an alias before a number, newest first.
pub async fn list_moves(
    context: &Context,
    caller: &Caller,
    (name, alias): (&Name, &Alias),
    before: Option<i32>,
    most: i64,
) -> Result<Vec<Move>> {
    let moves = store::list_moves(&context.db, caller.tenant_id, (name, alias), before, most).await?;
    let moves = moves.ok_or_else(|| store::not_found(name))?;
    if moves.is_empty() && before.is_none() {
        return Err(store::no_target(name, &Target::Alias(alias.clone())));
    }
    Ok(moves)
}
