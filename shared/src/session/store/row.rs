//! The row of a session and the type [`Session`], field by field, in both directions.

use std::{collections::BTreeMap, fmt::Debug};

use serde::Serialize;
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::error::{Error, Result};

use super::{
    super::{Priority, Session, SessionType, WaitingFor, status::Status, usage::Usage},
    Found,
};

/// A column and its value.
pub(super) type Field<'a> = (&'static str, Value<'a>);

/// All columns that make a [`Session`].
pub(super) const COLUMNS: &str =
    "s.tenant_id, s.id, s.title, s.description, s.session_type, s.priority, s.initial_prompt,
    s.model_identifier, s.resolved_model, s.agent_config, s.workspace, s.max_duration_seconds, s.cpu_limit, s.memory_limit_mb, s.tags,
    s.metadata, s.parent_id, s.root_id, s.depth, s.child_count, s.forked_from, s.status, s.status_changed_at,
    s.pause_reason, s.pause_question, s.resume_at, s.suspended, s.outcome, s.retry_count, s.intent, s.agent_id, s.lost_agent_id,
    s.handover, s.run,
    s.run_started_at, s.run_state, s.turns_with_changes, s.usage_by_scope, s.fence, s.lease_until, s.next_step_at,
    s.step_pause_ms, s.attempts, s.auto_retries, s.unreachable_since, s.tokens_input, s.tokens_output,
    s.tokens_reasoning, s.tokens_cached, s.cost_micros, s.queued_at, s.started_at, s.ended_at, s.active_since,
    s.active_ms, s.last_event_seq, s.last_checkpoint, s.version, s.created_by, s.created_at, s.updated_at";

/// Reads a row by column name.
pub(super) fn session(row: &Row) -> Result<Session> {
    let usage_by_scope: Json<BTreeMap<String, Usage>> = row.try_get("usage_by_scope")?;
    Ok(Session {
        tenant_id: row.try_get("tenant_id")?,
        id: row.try_get("id")?,
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        session_type: word(row, "session_type", SessionType::parse)?,
        priority: Priority::from_level(row.try_get::<_, i16>("priority")?.into()).unwrap_or_default(),
        initial_prompt: row.try_get("initial_prompt")?,
        model_identifier: row.try_get("model_identifier")?,
        resolved_model: optional_json(row, "resolved_model")?,
        agent_config: json(row, "agent_config")?,
        workspace: optional_json(row, "workspace")?,
        max_duration_seconds: row.try_get("max_duration_seconds")?,
        cpu_limit: row.try_get("cpu_limit")?,
        memory_limit_mb: row.try_get("memory_limit_mb")?,
        tags: row.try_get("tags")?,
        metadata: json(row, "metadata")?,
        parent_id: row.try_get("parent_id")?,
        root_id: row.try_get("root_id")?,
        depth: row.try_get("depth")?,
        child_count: row.try_get("child_count")?,
        forked_from: optional_json(row, "forked_from")?,
        status: word(row, "status", Status::parse)?,
        status_changed_at: row.try_get("status_changed_at")?,
        pause_reason: optional_word(row, "pause_reason")?,
        pause_question: optional_json(row, "pause_question")?,
        resume_at: row.try_get("resume_at")?,
        suspended: row.try_get("suspended")?,
        outcome: optional_json(row, "outcome")?,
        retry_count: row.try_get("retry_count")?,
        intent: optional_json(row, "intent")?,
        agent_id: row.try_get("agent_id")?,
        lost_agent_id: row.try_get("lost_agent_id")?,
        handover: optional_json(row, "handover")?,
        run: row.try_get("run")?,
        run_started_at: row.try_get("run_started_at")?,
        run_state: optional_json(row, "run_state")?,
        turns_with_changes: row.try_get("turns_with_changes")?,
        usage_by_scope: usage_by_scope.0,
        fence: row.try_get("fence")?,
        lease_until: row.try_get("lease_until")?,
        next_step_at: row.try_get("next_step_at")?,
        step_pause_ms: row.try_get("step_pause_ms")?,
        attempts: row.try_get("attempts")?,
        auto_retries: row.try_get("auto_retries")?,
        unreachable_since: row.try_get("unreachable_since")?,
        usage: Usage {
            tokens_input: row.try_get("tokens_input")?,
            tokens_output: row.try_get("tokens_output")?,
            tokens_reasoning: row.try_get("tokens_reasoning")?,
            tokens_cached: row.try_get("tokens_cached")?,
            cost_micros: row.try_get("cost_micros")?,
        },
        queued_at: row.try_get("queued_at")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        active_since: row.try_get("active_since")?,
        active_ms: row.try_get("active_ms")?,
        last_event_seq: row.try_get("last_event_seq")?,
        last_checkpoint: row.try_get("last_checkpoint")?,
        version: row.try_get("version")?,
        created_by: json(row, "created_by")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// A session with what [`super::BESIDE`] computes.
pub(super) fn found(row: &Row) -> Result<Found> {
    let agent_name: Option<String> = row.try_get("agent_name")?;
    let agent_kind: Option<String> = row.try_get("agent_kind")?;
    let place: Option<i64> = row.try_get("queue_place")?;
    let waiting_for = match row.try_get::<_, Option<&str>>("queue_waiting_for")? {
        Some("tokens") => WaitingFor::Tokens,
        Some("slot") => WaitingFor::Slot,
        Some("workspace") => WaitingFor::Workspace,
        _ => WaitingFor::Agent,
    };
    Ok(Found {
        session: session(row)?,
        agent: agent_name.zip(agent_kind),
        place: place.map(|place| (place, waiting_for)),
    })
}

/// A value to be sent.
pub(super) type Value<'a> = Box<dyn ToSql + Sync + Send + 'a>;

fn json_of<T: Serialize + Debug + Sync>(value: &T) -> Value<'_> {
    Box::new(Json(value))
}

fn maybe<T: Serialize + Debug + Sync>(value: Option<&T>) -> Value<'_> {
    Box::new(value.map(Json))
}

/// The columns that are written once, with the values to write.
pub(super) fn fixed(s: &Session) -> Vec<Field<'_>> {
    vec![
        ("tenant_id", Box::new(s.tenant_id)),
        ("id", Box::new(s.id)),
        ("session_type", Box::new(s.session_type.name())),
        ("initial_prompt", Box::new(s.initial_prompt.as_str())),
        ("model_identifier", Box::new(s.model_identifier.as_deref())),
        ("agent_config", json_of(&s.agent_config)),
        ("workspace", maybe(s.workspace.as_ref())),
        ("workspace_key", Box::new(s.workspace.as_ref().map(super::super::workspace::Workspace::key))),
        ("cpu_limit", Box::new(s.cpu_limit)),
        ("memory_limit_mb", Box::new(s.memory_limit_mb)),
        ("parent_id", Box::new(s.parent_id)),
        ("root_id", Box::new(s.root_id)),
        ("depth", Box::new(s.depth)),
        ("forked_from", maybe(s.forked_from.as_ref())),
        ("created_by", json_of(&s.created_by)),
        ("created_at", Box::new(s.created_at)),
    ]
}

/// The columns that change, with the values to write. `fence` is missing: only a claim moves it.
pub(super) fn changing(s: &Session) -> Vec<Field<'_>> {
    vec![
        ("title", Box::new(s.title.as_str())),
        ("description", Box::new(s.description.as_deref())),
        ("priority", Box::new(s.priority.level())),
        ("max_duration_seconds", Box::new(s.max_duration_seconds)),
        ("tags", Box::new(s.tags.as_slice())),
        ("metadata", json_of(&s.metadata)),
        ("status", Box::new(s.status.name())),
        ("status_changed_at", Box::new(s.status_changed_at)),
        ("pause_reason", Box::new(s.pause_reason.map(super::super::status::PauseReason::name))),
        ("pause_question", maybe(s.pause_question.as_ref())),
        ("resume_at", Box::new(s.resume_at)),
        ("suspended", Box::new(s.suspended)),
        ("outcome", maybe(s.outcome.as_ref())),
        ("retry_count", Box::new(s.retry_count)),
        ("intent", maybe(s.intent.as_ref())),
        ("resolved_model", maybe(s.resolved_model.as_ref())),
        ("agent_id", Box::new(s.agent_id)),
        ("lost_agent_id", Box::new(s.lost_agent_id)),
        ("handover", maybe(s.handover.as_ref())),
        ("run", Box::new(s.run)),
        ("run_started_at", Box::new(s.run_started_at)),
        ("run_state", maybe(s.run_state.as_ref())),
        ("turns_with_changes", Box::new(s.turns_with_changes)),
        ("usage_by_scope", json_of(&s.usage_by_scope)),
        ("lease_until", Box::new(s.lease_until)),
        ("next_step_at", Box::new(s.next_step_at)),
        ("step_pause_ms", Box::new(s.step_pause_ms)),
        ("attempts", Box::new(s.attempts)),
        ("auto_retries", Box::new(s.auto_retries)),
        ("unreachable_since", Box::new(s.unreachable_since)),
        ("tokens_input", Box::new(s.usage.tokens_input)),
        ("tokens_output", Box::new(s.usage.tokens_output)),
        ("tokens_reasoning", Box::new(s.usage.tokens_reasoning)),
        ("tokens_cached", Box::new(s.usage.tokens_cached)),
        ("cost_micros", Box::new(s.usage.cost_micros)),
        ("queued_at", Box::new(s.queued_at)),
        ("started_at", Box::new(s.started_at)),
        ("ended_at", Box::new(s.ended_at)),
        ("active_since", Box::new(s.active_since)),
        ("active_ms", Box::new(s.active_ms)),
        ("last_event_seq", Box::new(s.last_event_seq)),
        ("last_checkpoint", Box::new(s.last_checkpoint)),
        ("version", Box::new(s.version)),
        ("updated_at", Box::new(s.updated_at)),
    ]
}

fn json<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<T> {
    Ok(row.try_get::<_, Json<T>>(column)?.0)
}

fn optional_json<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<Option<T>> {
    Ok(row.try_get::<_, Option<Json<T>>>(column)?.map(|json| json.0))
}

fn word<T>(row: &Row, column: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    let text: &str = row.try_get(column)?;
    parse(text).ok_or_else(|| Error::internal(format!("{column} holds {text}")))
}

fn optional_word(row: &Row, column: &str) -> Result<Option<super::super::status::PauseReason>> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| serde_json::from_value(text.into()).map_err(Error::from)).transpose()
}
