//! SQL of what belongs to a session: checkpoints, files, artifacts, messages, events, its tree.

use serde::Serialize;
use tokio_postgres::{Row, types::Json};
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    clock::Time,
    db::{Db, Owned, Tx},
    error::{Code, Error, Result},
    event::{self, Event},
    id::{AgentId, ArtifactId, MessageId, SessionId, TenantId},
    runtime::{FileChange, RunState, Said, Work},
};

use super::{
    super::{
        MAX_CHECKPOINTS,
        change::{Change, NewCheckpoint},
        usage::{Usage, usd},
    },
    results,
};

/// What writes all of a change that is not the row or its events.
pub(super) fn statements(change: &Change) -> Result<Vec<Owned<'_>>> {
    let mut statements: Vec<_> = change.checkpoints.iter().map(|new| keep_checkpoint(change, new)).collect();
    if let Some(work) = &change.work {
        statements.push(replace_files(change, work)?);
    }
    statements.extend(change.said.iter().map(|said| keep_message(change, said)));
    if !change.delivered.is_empty() {
        let session = &change.session;
        statements.push(Owned {
            sql: "update session_messages set delivered_at = $4 where tenant_id = $1 and session_id = $2 and id = any($3)",
            values: vec![
                Box::new(session.tenant_id),
                Box::new(session.id),
                Box::new(change.delivered.as_slice()),
                Box::new(change.now),
            ],
        });
    }
    statements.extend(results::statements(change));
    statements.extend(change.of_agent().map(event::store::append));
    let (tokens, cost) = (change.spent.tokens(), change.spent.cost_micros);
    if tokens != 0 || cost != 0 {
        statements.push(Owned {
            sql: "insert into tenant_usage (tenant_id, month, tokens, cost_micros) values ($1, $2, $3, $4)
                  on conflict (tenant_id, month) do update
                  set tokens = tenant_usage.tokens + excluded.tokens, cost_micros = tenant_usage.cost_micros + excluded.cost_micros",
            values: vec![
                Box::new(change.session.tenant_id),
                Box::new(change.month()),
                Box::new(tokens),
                Box::new(cost),
            ],
        });
    }
    Ok(statements)
}

fn keep_message<'a>(change: &'a Change, (id, said): &'a (MessageId, Said)) -> Owned<'a> {
    let session = &change.session;
    Owned {
        sql: "insert into session_messages (tenant_id, session_id, id, said, actor, at) values ($1, $2, $3, $4, $5, $6)",
        values: vec![
            Box::new(session.tenant_id),
            Box::new(session.id),
            Box::new(*id),
            Box::new(Json(said)),
            Box::new(Json(&change.by.actor)),
            Box::new(change.now),
        ],
    }
}

fn keep_checkpoint<'a>(change: &'a Change, new: &'a NewCheckpoint) -> Owned<'a> {
    let session = &change.session;
    // A checkpoint without a diff of its own carries the last one on.
    let sql = "
        with dropped as (delete from session_checkpoints where tenant_id = $1 and session_id = $2 and sequence <= $3::integer - $4::integer)
        insert into session_checkpoints
            (tenant_id, session_id, sequence, cause, event_seq, run_state, agent_id, patch, summary, usage, data, note, actor, at)
        select $1::uuid, $2::uuid, $3::integer, $5::text, $6::bigint, $7::jsonb, $15::uuid, coalesce($8::text, last.patch, ''),
               case when $8::text is null then coalesce(last.summary, '') else $9::text end,
               $10::jsonb, $11::jsonb, $12::text, $13::jsonb, $14::timestamptz
        from (select 1) one
        left join (select c.patch, c.summary from session_checkpoints c where c.tenant_id = $1 and c.session_id = $2
                   order by c.sequence desc limit 1) last on true";
    Owned {
        sql,
        values: vec![
            Box::new(session.tenant_id),
            Box::new(session.id),
            Box::new(new.sequence),
            Box::new(MAX_CHECKPOINTS),
            Box::new(new.cause.name()),
            Box::new(new.event_seq),
            Box::new(new.run_state.as_ref().map(Json)),
            Box::new(new.patch.as_deref()),
            Box::new(new.summary.as_str()),
            Box::new(Json(session.usage)),
            Box::new(new.data.as_ref()),
            Box::new(new.note.as_deref()),
            Box::new(Json(&change.by.actor)),
            Box::new(change.now),
            Box::new(session.agent_id),
        ],
    }
}

fn replace_files<'a>(change: &'a Change, work: &'a Work) -> Result<Owned<'a>> {
    let sql = "
        with gone as (delete from session_files where tenant_id = $1 and session_id = $2
                      and path <> all (select f->>'path' from jsonb_array_elements($3::jsonb) f))
        insert into session_files (tenant_id, session_id, path, status, additions, deletions, patch)
        select $1, $2, f.path, f.status, f.additions, f.deletions, f.patch
        from jsonb_to_recordset($3::jsonb) as f(path text, status text, additions integer, deletions integer, patch text)
        on conflict (tenant_id, session_id, path) do update
        set status = excluded.status, additions = excluded.additions, deletions = excluded.deletions, patch = excluded.patch";
    let files = serde_json::to_value(&work.files)?;
    Ok(Owned { sql, values: vec![Box::new(change.session.tenant_id), Box::new(change.session.id), Box::new(files)] })
}

/// A point that a session can be taken back to, or forked from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Checkpoint {
    pub sequence: i32,
    /// dispatch, turn, pause, stop or manual.
    pub cause: String,
    /// The log as it stood: events up to this one belong to it.
    pub event_seq: i64,
    /// What came of the work so far, in words.
    pub summary: String,
    /// How many bytes the stored diff has.
    pub patch_bytes: i64,
    pub tokens: i64,
    pub cost_usd: String,
    #[schema(value_type = Option<Object>)]
    pub data: Option<serde_json::Value>,
    pub note: Option<String>,
    pub actor: Actor,
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
}

/// A session's checkpoints, newest first.
pub async fn checkpoints(db: &Db, tenant_id: TenantId, id: SessionId) -> Result<Vec<Checkpoint>> {
    let sql = "select sequence, cause, event_seq, summary, octet_length(patch)::bigint as patch_bytes, usage, data, note, actor, at
               from session_checkpoints where tenant_id = $1 and session_id = $2 order by sequence desc";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
    rows.iter().map(read_checkpoint).collect()
}

fn read_checkpoint(row: &Row) -> Result<Checkpoint> {
    let Json(usage): Json<Usage> = row.try_get("usage")?;
    let Json(actor): Json<Actor> = row.try_get("actor")?;
    Ok(Checkpoint {
        sequence: row.try_get("sequence")?,
        cause: row.try_get("cause")?,
        event_seq: row.try_get("event_seq")?,
        summary: row.try_get("summary")?,
        patch_bytes: row.try_get("patch_bytes")?,
        tokens: usage.tokens(),
        cost_usd: usd(usage.cost_micros),
        data: row.try_get("data")?,
        note: row.try_get("note")?,
        actor,
        at: row.try_get("at")?,
    })
}

/// What a run needs of a checkpoint to go on from it.
pub struct Origin {
    /// What the runtime of that agent remembered.
    pub state: Option<RunState>,
    pub agent_id: Option<AgentId>,
    pub patch: String,
    pub summary: String,
}

/// A checkpoint to go on from.
pub async fn checkpoint(db: &Db, tenant_id: TenantId, id: SessionId, sequence: i32) -> Result<Origin> {
    let sql = "select run_state, agent_id, patch, summary from session_checkpoints
               where tenant_id = $1 and session_id = $2 and sequence = $3";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &sequence]).await?;
    let row = rows.first().ok_or_else(|| {
        Error::new(
            Code::CheckpointNotFound,
            format!("The session has no checkpoint {sequence}; the newest 100 are kept."),
        )
    })?;
    let state: Option<Json<RunState>> = row.try_get("run_state")?;
    Ok(Origin {
        state: state.map(|json| json.0),
        agent_id: row.try_get("agent_id")?,
        patch: row.try_get("patch")?,
        summary: row.try_get("summary")?,
    })
}

/// The log after `after`, `limit` entries at most. `None` when there is no such session.
pub async fn events(
    db: &Db,
    tenant_id: TenantId,
    id: SessionId,
    after: i64,
    limit: i64,
) -> Result<Option<(Vec<Event>, i64)>> {
    let sql = "
        select s.last_event_seq, s.ended_at is not null as over, e.id, e.seq, e.type, e.actor, e.at, e.payload
        from sessions s
        left join lateral (select * from session_events e where e.tenant_id = s.tenant_id and e.session_id = s.id and e.seq > $3
                           order by e.seq limit $4) e on true
        where s.tenant_id = $1 and s.id = $2
        order by e.seq";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &after, &limit]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let last: i64 = first.try_get("last_event_seq")?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(seq) = row.try_get("seq")? {
            events.push(Event {
                id: row.try_get("id")?,
                seq,
                kind: row.try_get("type")?,
                tenant_id,
                session_id: id,
                actor: row.try_get::<_, Json<Actor>>("actor")?.0,
                at: row.try_get("at")?,
                payload: row.try_get("payload")?,
            });
        }
    }
    Ok(Some((events, last)))
}

/// The files that a session changed, as last read from git.
pub async fn files(db: &Db, tenant_id: TenantId, id: SessionId) -> Result<Vec<FileChange>> {
    let sql = "select jsonb_build_object('path', path, 'status', status, 'additions', additions, 'deletions', deletions, 'patch', patch) as file
               from session_files where tenant_id = $1 and session_id = $2 order by path";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
    rows.iter().map(|row| Ok(row.try_get::<_, Json<FileChange>>("file")?.0)).collect()
}

/// A thing that a session made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Artifact {
    pub id: ArtifactId,
    pub path: String,
    pub mime_type: String,
    /// Bytes.
    pub size: i64,
    /// Of the content, in hexadecimal.
    pub sha256: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
}

fn read_artifact(row: &Row) -> Result<Artifact> {
    Ok(Artifact {
        id: row.try_get("id")?,
        path: row.try_get("path")?,
        mime_type: row.try_get("mime_type")?,
        size: row.try_get("size")?,
        sha256: row.try_get("sha256")?,
        at: row.try_get("at")?,
    })
}

pub async fn artifacts(db: &Db, tenant_id: TenantId, id: SessionId) -> Result<Vec<Artifact>> {
    let sql = "select id, path, mime_type, size, sha256, at from session_artifacts
               where tenant_id = $1 and session_id = $2 order by path";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
    rows.iter().map(read_artifact).collect()
}

pub async fn artifact(db: &Db, tenant_id: TenantId, id: SessionId, artifact: ArtifactId) -> Result<Artifact> {
    let sql = "select id, path, mime_type, size, sha256, at from session_artifacts
               where tenant_id = $1 and session_id = $2 and id = $3";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &artifact]).await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::new(Code::ArtifactNotFound, format!("The session has no artifact {artifact}.")))?;
    read_artifact(row)
}

/// Records artifacts whose bytes are stored; those of the same path are replaced.
pub async fn keep_artifacts(tx: &mut Tx, session: (TenantId, SessionId), artifacts: &[Artifact]) -> Result<()> {
    for made in artifacts {
        let sql = "insert into session_artifacts (tenant_id, session_id, id, path, mime_type, size, sha256, at)
                   values ($1, $2, $3, $4, $5, $6, $7, $8)
                   on conflict (tenant_id, session_id, path) do update
                   set mime_type = excluded.mime_type, size = excluded.size, sha256 = excluded.sha256, at = excluded.at";
        tx.query(
            sql,
            &[&session.0, &session.1, &made.id, &made.path, &made.mime_type, &made.size, &made.sha256, &made.at],
        )
        .await?;
    }
    Ok(())
}

/// A session in its tree.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TreeNode {
    pub id: SessionId,
    pub parent_id: Option<SessionId>,
    pub title: String,
    pub status: String,
    /// 1 for the root of the whole tree.
    pub depth: i16,
    pub tokens: i64,
    pub cost_usd: String,
    /// Cost of this session and all below it.
    pub total_cost_usd: String,
    #[schema(no_recursion)]
    pub children: Vec<TreeNode>,
    #[serde(skip)]
    pub cost_micros: i64,
}

/// A session and all below it, as rows ordered by depth and age.
pub async fn tree(db: &Db, tenant_id: TenantId, id: SessionId) -> Result<Vec<TreeNode>> {
    let sql = "
        with recursive below as (
            select s.id from sessions s where s.tenant_id = $1 and s.id = $2
            union all
            select c.id from below b join sessions c on c.tenant_id = $1 and c.parent_id = b.id
        )
        select s.id, s.parent_id, s.title, s.status, s.depth, s.cost_micros,
               s.tokens_input + s.tokens_output + s.tokens_reasoning + s.tokens_cached as tokens
        from below join sessions s on s.tenant_id = $1 and s.id = below.id
        order by s.depth, s.id";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
    rows.iter()
        .map(|row| {
            let cost_micros: i64 = row.try_get("cost_micros")?;
            Ok(TreeNode {
                id: row.try_get("id")?,
                parent_id: row.try_get("parent_id")?,
                title: row.try_get("title")?,
                status: row.try_get("status")?,
                depth: row.try_get("depth")?,
                tokens: row.try_get("tokens")?,
                cost_usd: usd(cost_micros),
                total_cost_usd: String::new(),
                children: Vec::new(),
                cost_micros,
            })
        })
        .collect()
}
