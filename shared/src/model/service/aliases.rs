//! Aliases: pointed at a version, taken away, and rolled back move by move.

use serde_json::json;

use crate::{
    app::App,
    audit::{By, Entry},
    auth::Caller,
    clock::Time,
    db::Tx,
    error::{Code, Error, Result},
    event::tenant::{Kind, TenantEvent},
    id::{ModelVersionId, TenantId},
    model::{
        Alias, ModelVersion, Name, Target, Version,
        store::{self, Move, NewMove},
    },
};

/// Where an alias points after it was moved.
#[derive(Clone, Debug)]
pub struct Moved {
    pub alias: String,
    /// None when it was taken away.
    pub version: Option<ModelVersion>,
    /// Where it pointed before.
    pub was: Option<String>,
}

/// Points an alias at a version. One that points there already stays as it is.
pub async fn point(app: &App, caller: &Caller, name: &Name, alias: &Alias, version: &Version) -> Result<Moved> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let moved = point_in(&mut tx, caller.tenant_id, caller.into(), app.clock.now(), (name, alias, version)).await?;
    tx.commit().await?;
    app.tell_tenant(caller.tenant_id).await;
    Ok(moved)
}

/// As [`point`], in the caller's transaction.
pub async fn point_in(
    tx: &mut Tx,
    tenant_id: TenantId,
    by: By,
    now: Time,
    (name, alias, version): (&Name, &Alias, &Version),
) -> Result<Moved> {
    store::lock(tx, tenant_id, name).await?;
    let found = store::target_in(tx, tenant_id, name, &Target::Version(version.clone())).await?;
    let found = found.ok_or_else(|| Error::field("version", format!("the model {name} has no version {version}")))?;
    let was = store::pointed(tx, tenant_id, name, alias).await?;
    settle(tx, tenant_id, by, now, (name, alias), "move", was, Some(found)).await
}

/// Takes an alias away; sessions that name it fail from now on, until it is back.
pub async fn remove(app: &App, caller: &Caller, name: &Name, alias: &Alias) -> Result<()> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    store::lock(&mut tx, caller.tenant_id, name).await?;
    let was = store::pointed(&mut tx, caller.tenant_id, name, alias).await?;
    let was = was.ok_or_else(|| store::no_target(name, &Target::Alias(alias.clone())))?;
    let now = app.clock.now();
    settle(&mut tx, caller.tenant_id, caller.into(), now, (name, alias), "remove", Some(was), None).await?;
    tx.commit().await?;
    app.tell_tenant(caller.tenant_id).await;
    Ok(())
}

/// Undoes the newest move of an alias that is not undone; called again, the one before it.
pub async fn roll_back(app: &App, caller: &Caller, name: &Name, alias: &Alias) -> Result<Moved> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    store::lock(&mut tx, caller.tenant_id, name).await?;
    let was = store::pointed(&mut tx, caller.tenant_id, name, alias).await?;
    let before = store::undo_next(&mut tx, caller.tenant_id, name, alias).await?;
    let Some(before) = before.flatten() else {
        return Err(match was {
            None => store::no_target(name, &Target::Alias(alias.clone())),
            Some(_) => Error::new(Code::NoEarlierVersion, format!("{alias} of {name} never pointed at anything else.")),
        });
    };
    let found = store::by_id(&mut tx, caller.tenant_id, before).await?;
    let now = app.clock.now();
    let moved =
        settle(&mut tx, caller.tenant_id, caller.into(), now, (name, alias), "rollback", was, Some(found)).await?;
    tx.commit().await?;
    app.tell_tenant(caller.tenant_id).await;
    Ok(moved)
}

/// Writes where an alias points from now on, notes the move, and puts it on record.
#[expect(clippy::too_many_arguments, reason = "all of one move: who, when, which, how, from and to")]
async fn settle(
    tx: &mut Tx,
    tenant_id: TenantId,
    by: By,
    now: Time,
    (name, alias): (&Name, &Alias),
    verb: &'static str,
    was: Option<(ModelVersionId, String)>,
    becomes: Option<ModelVersion>,
) -> Result<Moved> {
    let (was_id, was) = was.unzip();
    let mut moved = Moved { alias: alias.to_string(), version: becomes, was };
    let id = moved.version.as_ref().map(|version| version.id);
    if let Some(version) = moved.version.as_mut() {
        refuse_archived(version)?;
        if was_id == Some(version.id) {
            return Ok(moved);
        }
        store::point(tx, tenant_id, (name, alias), version.id, (&by.actor, now)).await?;
        version.aliases.push(alias.to_string());
    } else {
        store::remove(tx, tenant_id, name, alias).await?;
    }
    let new = NewMove { verb, was: was_id, becomes: id, actor: &by.actor, at: now };
    store::append(tx, tenant_id, (name, alias), new).await?;
    let told = |version: Option<String>| json!({"version": version});
    let number = moved.version.as_ref().map(|version| version.version.to_string());
    let payload =
        json!({"name": name.as_str(), "alias": alias.as_str(), "version": number, "previous_version": moved.was});
    tx.tell(TenantEvent::new(Kind::ModelAliasChanged, by.actor.clone(), now, payload));
    let entry = Entry::new(by, now, format!("model.alias_{verb}"), format!("{name}@{alias}"));
    tx.audit(entry.before(told(moved.was.clone())).after(told(number)));
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
pub async fn history(
    app: &App,
    caller: &Caller,
    (name, alias): (&Name, &Alias),
    before: Option<i32>,
    most: i64,
) -> Result<Vec<Move>> {
    let moves = store::moves(&app.db, caller.tenant_id, (name, alias), before, most).await?;
    let moves = moves.ok_or_else(|| store::not_found(name))?;
    if moves.is_empty() && before.is_none() {
        return Err(store::no_target(name, &Target::Alias(alias.clone())));
    }
    Ok(moves)
}
