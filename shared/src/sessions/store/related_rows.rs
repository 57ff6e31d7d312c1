//! SQL of the rows that belong to a session: checkpoints, files, artifacts, messages, events, its tree.

use serde::Serialize;
use tokio_postgres::{Row, types::Json};
use utoipa::ToSchema;

use crate::{
    agents::contract::{FileChange, RunOutput, RunState, UserMessage},
    events::log,
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Code, Error, Result},
        id::{AgentId, ArtifactId, MessageId, SessionId, TenantId},
        usage::{Usage, format_usd},
    },
    platform::postgres::{Db, OwnedStatement, Tx},
};

use super::{
    super::{
        MAX_CHECKPOINTS,
        change::{NewCheckpoint, SessionChange},
        session::SessionKey,
    },
    results,
};

/// The statements that write everything of a change except the row and its events.
pub(super) fn insert_statements(change: &SessionChange) -> Result<Vec<OwnedStatement<'_>>> {
    let mut statements: Vec<_> = change.checkpoints.iter().map(|new| insert_checkpoint(change, new)).collect();
    if let Some(work) = &change.work {
        statements.push(replace_files(change, work)?);
    }
    statements.extend(change.messages.iter().map(|message| insert_message(change, message)));
    if !change.delivered_messages.is_empty() {
        let session = &change.session;
        statements.push(OwnedStatement {
            sql: "update session_messages set delivered_at = $4 where tenant_id = $1 and session_id = $2 and id = any($3)",
            values: vec![
                Box::new(session.tenant_id),
                Box::new(session.id),
                Box::new(change.delivered_messages.as_slice()),
                Box::new(change.now),
            ],
        });
    }
    statements.extend(results::result_statements(change));
    if change.closes_tasks {
        statements.push(close_tasks(change));
    }
    statements.extend(change.agent_event().map(log::store::append_event));
    let (tokens, cost) = (change.spent.tokens(), change.spent.cost_micros);
    if tokens != 0 || cost != 0 {
        statements.push(OwnedStatement {
            sql: "insert into tenant_usage (tenant_id, month, tokens, cost_micros) values ($1, $2, $3, $4)
                  on conflict (tenant_id, month) do update
                  set tokens = tenant_usage.tokens + excluded.tokens, cost_micros = tenant_usage.cost_micros + excluded.cost_micros",
            values: vec![
                Box::new(change.session.tenant_id),
                Box::new(change.usage_month()),
                Box::new(tokens),
                Box::new(cost),
            ],
        });
    }
    Ok(statements)
}

/// An agent that claimed the task at the same moment is asked to end it with its next report.
fn close_tasks(change: &SessionChange) -> OwnedStatement<'_> {
    OwnedStatement {
        sql: "update agent_tasks set cancel_requested = true, updated_at = $3,
                  status = case when status = 'waiting' then 'closed' else status end
              where tenant_id = $1 and session_id = $2 and status in ('waiting', 'leased')",
        values: vec![Box::new(change.session.tenant_id), Box::new(change.session.id), Box::new(change.now)],
    }
}

fn insert_message<'a>(change: &'a SessionChange, (id, message): &'a (MessageId, UserMessage)) -> OwnedStatement<'a> {
    let session = &change.session;
    OwnedStatement {
        sql: "insert into session_messages (tenant_id, session_id, id, message, actor, at) values ($1, $2, $3, $4, $5, $6)",
        values: vec![
            Box::new(session.tenant_id),
            Box::new(session.id),
            Box::new(*id),
            Box::new(Json(message)),
            Box::new(Json(&change.by.actor)),
            Box::new(change.now),
        ],
    }
}

fn insert_checkpoint<'a>(change: &'a SessionChange, new: &'a NewCheckpoint) -> OwnedStatement<'a> {
    let session = &change.session;
    // A checkpoint without a diff of its own repeats the last one.
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
    OwnedStatement {
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
            Box::new(Json(session.usage.total)),
            Box::new(new.data.as_ref()),
            Box::new(new.note.as_deref()),
            Box::new(Json(&change.by.actor)),
            Box::new(change.now),
            Box::new(session.run.agent_id),
        ],
    }
}

fn replace_files<'a>(change: &'a SessionChange, work: &'a RunOutput) -> Result<OwnedStatement<'a>> {
    let sql = "
        with gone as (delete from session_files where tenant_id = $1 and session_id = $2
                      and path <> all (select f->>'path' from jsonb_array_elements($3::jsonb) f))
        insert into session_files (tenant_id, session_id, path, status, additions, deletions, patch)
        select $1, $2, f.path, f.status, f.additions, f.deletions, f.patch
        from jsonb_to_recordset($3::jsonb) as f(path text, status text, additions integer, deletions integer, patch text)
        on conflict (tenant_id, session_id, path) do update
        set status = excluded.status, additions = excluded.additions, deletions = excluded.deletions, patch = excluded.patch";
    let files = serde_json::to_value(&work.files)?;
    Ok(OwnedStatement {
        sql,
        values: vec![Box::new(change.session.tenant_id), Box::new(change.session.id), Box::new(files)],
    })
}

/// A point that a session can be restored to or forked from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Checkpoint {
    /// The number of the checkpoint within the session.
    pub sequence: i32,
    /// The cause: `dispatch`, `turn`, `pause`, `stop` or `manual`.
    pub cause: String,
    /// The `seq` of the last event before the checkpoint.
    pub event_seq: i64,
    /// A summary of the work so far; null if there is none.
    pub summary: String,
    /// The size of the stored diff in bytes; null without one.
    pub patch_bytes: i64,
    /// The tokens that the session had used.
    pub tokens: i64,
    /// The cost of the session so far in US dollars, as decimal text.
    pub cost_usd: String,
    /// The data that was stored with the checkpoint on request.
    #[schema(value_type = Option<Object>)]
    pub data: Option<serde_json::Value>,
    /// The note that was stored with the checkpoint on request.
    pub note: Option<String>,
    /// The actor that took the checkpoint.
    pub actor: Actor,
    /// When the checkpoint was taken.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
}

/// A session's checkpoints, newest first.
pub async fn list_checkpoints(db: &Db, tenant_id: TenantId, id: SessionId) -> Result<Vec<Checkpoint>> {
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
        cost_usd: format_usd(usage.cost_micros),
        data: row.try_get("data")?,
        note: row.try_get("note")?,
        actor,
        at: row.try_get("at")?,
    })
}

/// What a run needs of a checkpoint to continue from it.
pub struct CheckpointOrigin {
    /// The state that the runtime of that agent stored.
    pub state: Option<RunState>,
    pub agent_id: Option<AgentId>,
    pub patch: String,
    pub summary: String,
}

/// A checkpoint to continue from.
pub async fn find_checkpoint(db: &Db, tenant_id: TenantId, id: SessionId, sequence: i32) -> Result<CheckpointOrigin> {
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
    Ok(CheckpointOrigin {
        state: state.map(|json| json.0),
        agent_id: row.try_get("agent_id")?,
        patch: row.try_get("patch")?,
        summary: row.try_get("summary")?,
    })
}

/// Whether the agent of a session has ever said anything.
pub async fn has_agent_spoken(db: &Db, key: SessionKey) -> Result<bool> {
    let sql = "select 1 from session_events
               where tenant_id = $1 and session_id = $2 and type = 'session.message' and actor->>'kind' = 'agent'
                 and payload->>'role' = 'assistant' and payload->>'text' ~ '\\S'
               limit 1";
    Ok(!db.read(key.tenant_id, sql, &[&key.tenant_id, &key.id]).await?.is_empty())
}

/// The files that a session changed, as last read from git.
pub async fn list_files(db: &Db, tenant_id: TenantId, id: SessionId, after: Option<&str>) -> Result<Vec<FileChange>> {
    let sql = "select jsonb_build_object('path', path, 'status', status, 'additions', additions, 'deletions', deletions, 'patch', patch) as file
               from session_files where tenant_id = $1 and session_id = $2 and ($3::text is null or path > $3) order by path";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &after]).await?;
    rows.iter().map(|row| Ok(row.try_get::<_, Json<FileChange>>("file")?.0)).collect()
}

/// A file that a session produced.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Artifact {
    /// The id of the artifact.
    pub id: ArtifactId,
    /// The path of the file, relative to the workspace.
    pub path: String,
    /// The media type of the content.
    pub mime_type: String,
    /// The size of the content in bytes.
    pub size: i64,
    /// The SHA-256 of the content, in hexadecimal.
    pub sha256: String,
    /// When the artifact was stored.
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

pub async fn list_artifacts(db: &Db, tenant_id: TenantId, id: SessionId) -> Result<Vec<Artifact>> {
    let sql = "select id, path, mime_type, size, sha256, at from session_artifacts
               where tenant_id = $1 and session_id = $2 order by path";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
    rows.iter().map(read_artifact).collect()
}

pub async fn find_artifact(db: &Db, tenant_id: TenantId, id: SessionId, artifact: ArtifactId) -> Result<Artifact> {
    let sql = "select id, path, mime_type, size, sha256, at from session_artifacts
               where tenant_id = $1 and session_id = $2 and id = $3";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &artifact]).await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::new(Code::ArtifactNotFound, format!("The session has no artifact {artifact}.")))?;
    read_artifact(row)
}

/// Writes the rows of artifacts whose bytes are stored. An artifact of the same path is replaced.
pub async fn save_artifacts(tx: &mut Tx, key: SessionKey, artifacts: &[Artifact]) -> Result<()> {
    for artifact in artifacts {
        let sql = "insert into session_artifacts (tenant_id, session_id, id, path, mime_type, size, sha256, at)
                   values ($1, $2, $3, $4, $5, $6, $7, $8)
                   on conflict (tenant_id, session_id, path) do update
                   set mime_type = excluded.mime_type, size = excluded.size, sha256 = excluded.sha256, at = excluded.at";
        tx.query(
            sql,
            &[
                &key.tenant_id,
                &key.id,
                &artifact.id,
                &artifact.path,
                &artifact.mime_type,
                &artifact.size,
                &artifact.sha256,
                &artifact.at,
            ],
        )
        .await?;
    }
    Ok(())
}

/// A session in its tree.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TreeNode {
    /// The id of the session.
    pub id: SessionId,
    /// The parent session; null for the root.
    pub parent_id: Option<SessionId>,
    /// The title of the session.
    pub title: String,
    /// The status of the session.
    pub status: String,
    /// The depth in the tree; 1 for the root.
    pub depth: i16,
    /// The tokens that the session used.
    pub tokens: i64,
    /// The cost of the session in US dollars, as decimal text.
    pub cost_usd: String,
    /// The cost of the session and its descendants in US dollars, as decimal text.
    pub total_cost_usd: String,
    /// The child sessions.
    #[schema(no_recursion)]
    pub children: Vec<TreeNode>,
    #[serde(skip)]
    pub cost_micros: i64,
}

/// A session and all below it, as rows ordered by depth and age.
pub async fn read_tree(db: &Db, tenant_id: TenantId, id: SessionId) -> Result<Vec<TreeNode>> {
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
                cost_usd: format_usd(cost_micros),
                total_cost_usd: String::new(),
                children: Vec::new(),
                cost_micros,
            })
        })
        .collect()
}
