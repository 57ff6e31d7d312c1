//! SQL of aliases and their moves. Moving an alias requires the lock of its model.

use tokio_postgres::types::Json;

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        error::Result,
        id::{ModelVersionId, TenantId},
    },
    platform::postgres::{Db, Tx},
};

use super::super::{Alias, Name};

/// The target of an alias.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasPointer {
    pub alias: String,
    pub version_id: ModelVersionId,
    pub version: String,
    pub moved_by: Actor,
    pub moved_at: Time,
}

/// Where an alias points now, if it is there.
pub async fn find_alias(
    tx: &mut Tx,
    tenant_id: TenantId,
    name: &Name,
    alias: &Alias,
) -> Result<Option<(ModelVersionId, String)>> {
    let sql = "select v.id, v.version from model_aliases a
               join model_versions v on v.tenant_id = a.tenant_id and v.id = a.version_id
               where a.tenant_id = $1 and a.name = $2 and a.alias = $3";
    let row = tx.query_opt(sql, &[&tenant_id, &name.as_str(), &alias.as_str()]).await?;
    row.map(|row| Ok((row.try_get("id")?, row.try_get("version")?))).transpose()
}

/// Points an alias at a version.
pub async fn point_alias(
    tx: &mut Tx,
    tenant_id: TenantId,
    (name, alias): (&Name, &Alias),
    version: ModelVersionId,
    (actor, now): (&Actor, Time),
) -> Result<()> {
    let sql = "insert into model_aliases (tenant_id, name, alias, version_id, moved_by, moved_at) values ($1, $2, $3, $4, $5, $6)
               on conflict (tenant_id, name, alias) do update
               set version_id = excluded.version_id, moved_by = excluded.moved_by, moved_at = excluded.moved_at";
    tx.query(sql, &[&tenant_id, &name.as_str(), &alias.as_str(), &version, &Json(actor), &now]).await?;
    Ok(())
}

/// Removes an alias.
pub async fn remove_alias(tx: &mut Tx, tenant_id: TenantId, name: &Name, alias: &Alias) -> Result<()> {
    let sql = "delete from model_aliases where tenant_id = $1 and name = $2 and alias = $3";
    tx.query(sql, &[&tenant_id, &name.as_str(), &alias.as_str()]).await?;
    Ok(())
}

/// A move to insert.
#[derive(Clone, Copy, Debug)]
pub struct NewMove<'a> {
    pub verb: &'static str,
    pub was: Option<ModelVersionId>,
    pub becomes: Option<ModelVersionId>,
    pub actor: &'a Actor,
    pub at: Time,
}

/// Records a move of an alias.
pub async fn append_move(
    tx: &mut Tx,
    tenant_id: TenantId,
    (name, alias): (&Name, &Alias),
    new: NewMove<'_>,
) -> Result<()> {
    let sql = "insert into model_alias_moves (tenant_id, name, alias, seq, verb, previous_version_id, new_version_id, actor, at)
               select $1::uuid, $2::text, $3::text, coalesce(max(m.seq), 0) + 1, $4::text, $5::uuid, $6::uuid, $7::jsonb, $8::timestamptz
               from model_alias_moves m where m.tenant_id = $1 and m.name = $2 and m.alias = $3";
    let (name, alias) = (name.as_str(), alias.as_str());
    tx.query(sql, &[&tenant_id, &name, &alias, &new.verb, &new.was, &new.becomes, &Json(new.actor), &new.at]).await?;
    Ok(())
}

/// Marks the newest move as undone and returns the target before it: `None` when no move is left, `Some(None)` when the
/// alias did not exist.
pub async fn undo_next(
    tx: &mut Tx,
    tenant_id: TenantId,
    name: &Name,
    alias: &Alias,
) -> Result<Option<Option<ModelVersionId>>> {
    let sql = "update model_alias_moves m set rolled_back = true
               where m.tenant_id = $1 and m.name = $2 and m.alias = $3
                 and m.seq = (select max(n.seq) from model_alias_moves n
                              where n.tenant_id = $1 and n.name = $2 and n.alias = $3 and n.verb <> 'rollback' and not n.rolled_back)
               returning m.previous_version_id";
    let row = tx.query_opt(sql, &[&tenant_id, &name.as_str(), &alias.as_str()]).await?;
    row.map(|row| row.try_get("previous_version_id").map_err(Into::into)).transpose()
}

/// One move of an alias.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    pub seq: i32,
    pub verb: String,
    pub was: Option<String>,
    pub becomes: Option<String>,
    pub undone: bool,
    pub actor: Actor,
    pub at: Time,
}

/// The moves of an alias before a number, newest first. `None` when there is no such model.
pub async fn list_moves(
    db: &Db,
    tenant_id: TenantId,
    (name, alias): (&Name, &Alias),
    before: Option<i32>,
    most: i64,
) -> Result<Option<Vec<Move>>> {
    let sql = "select m.seq, m.verb, was.version as was, becomes.version as becomes, m.rolled_back, m.actor, m.at
               from models k
               left join lateral (
                   select * from model_alias_moves m
                   where m.tenant_id = k.tenant_id and m.name = k.name and m.alias = $3 and ($4::integer is null or m.seq < $4)
                   order by m.seq desc limit $5) m on true
               left join model_versions was on was.tenant_id = k.tenant_id and was.id = m.previous_version_id
               left join model_versions becomes on becomes.tenant_id = k.tenant_id and becomes.id = m.new_version_id
               where k.tenant_id = $1 and k.name = $2
               order by m.seq desc";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &name.as_str(), &alias.as_str(), &before, &most]).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut moves = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(seq) = row.try_get("seq")? {
            let Json(actor) = row.try_get("actor")?;
            moves.push(Move {
                seq,
                verb: row.try_get("verb")?,
                was: row.try_get("was")?,
                becomes: row.try_get("becomes")?,
                undone: row.try_get("rolled_back")?,
                actor,
                at: row.try_get("at")?,
            });
        }
    }
    Ok(Some(moves))
}
