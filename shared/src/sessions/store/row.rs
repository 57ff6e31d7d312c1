//! The row of a session and the type [`Session`], field by field, in both directions.

use std::fmt::Debug;

use serde::Serialize;
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::kernel::{
    clock::Time,
    error::{Error, Result},
    session_type::SessionType,
    usage::Usage,
};

use super::{
    super::{
        PauseState, Priority, Session, SessionClock, SessionLineage, SessionRun, SessionSpec, SessionUsage,
        StepSchedule,
        queue::{QueuePosition, WaitingFor},
        status::Status,
    },
    found::FoundSession,
};

/// A column and its value.
pub(super) type Field<'a> = (&'static str, Value<'a>);

/// All columns that make a [`Session`].
pub(super) const COLUMNS: &str =
    "s.tenant_id, s.id, s.title, s.description, s.session_type, s.priority, s.initial_prompt,
    s.model_identifier, s.resolved_model, s.agent_config, s.workspace, s.environment, s.max_duration_seconds, s.cpu_limit, s.memory_limit_mb, s.tags,
    s.metadata, s.parent_id, s.root_id, s.depth, s.child_count, s.forked_from, s.status, s.status_changed_at,
    s.pause_reason, s.pause_question, s.resume_at, s.suspended, s.outcome, s.retry_count, s.intent, s.agent_id, s.lost_agent_id,
    s.handover, s.offered_until, s.offered_handover, s.run,
    s.run_started_at, s.run_state, s.turns_with_changes, s.usage_by_scope, s.usage_claims, s.fence, s.lease_until, s.next_step_at,
    s.step_pause_ms, s.failed_steps, s.interrupted_steps, s.attempts, s.auto_retries, s.unreachable_since, s.failed_collections, s.tokens_input, s.tokens_output,
    s.tokens_reasoning, s.tokens_cached, s.cost_micros, s.queued_at, s.started_at, s.ended_at, s.active_since,
    s.active_ms, s.last_event_seq, s.last_checkpoint, s.version, s.created_by, s.created_at, s.updated_at";

/// Reads a row by column name.
pub(super) fn session_of_row(row: &Row) -> Result<Session> {
    Ok(Session {
        tenant_id: row.try_get("tenant_id")?,
        id: row.try_get("id")?,
        spec: read_spec(row)?,
        lineage: SessionLineage {
            parent_id: row.try_get("parent_id")?,
            root_id: row.try_get("root_id")?,
            depth: row.try_get("depth")?,
            child_count: row.try_get("child_count")?,
            forked_from: read_optional_json(row, "forked_from")?,
        },
        status: read_word(row, "status", Status::parse)?,
        pause: PauseState {
            reason: optional_word(row, "pause_reason")?,
            question: read_optional_json(row, "pause_question")?,
            resume_at: row.try_get("resume_at")?,
            suspended: row.try_get("suspended")?,
        },
        outcome: read_optional_json(row, "outcome")?,
        retry_count: row.try_get("retry_count")?,
        intent: read_optional_json(row, "intent")?,
        run: read_run(row)?,
        schedule: StepSchedule {
            fence: row.try_get("fence")?,
            lease_until: row.try_get("lease_until")?,
            next_step_at: row.try_get("next_step_at")?,
            poll_interval_ms: row.try_get("step_pause_ms")?,
            failed_steps: row.try_get("failed_steps")?,
            interrupted_steps: row.try_get("interrupted_steps")?,
        },
        usage: read_usage(row)?,
        clock: read_clock(row)?,
        last_event_seq: row.try_get("last_event_seq")?,
        last_checkpoint: row.try_get("last_checkpoint")?,
        version: row.try_get("version")?,
        created_by: read_json(row, "created_by")?,
    })
}

fn read_spec(row: &Row) -> Result<SessionSpec> {
    Ok(SessionSpec {
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        session_type: read_word(row, "session_type", SessionType::parse)?,
        priority: Priority::from_level(row.try_get::<_, i16>("priority")?.into()).unwrap_or_default(),
        initial_prompt: row.try_get("initial_prompt")?,
        model_identifier: row.try_get("model_identifier")?,
        agent_config: read_json(row, "agent_config")?,
        workspace: read_optional_json(row, "workspace")?,
        environment: read_optional_json(row, "environment")?,
        max_duration_seconds: row.try_get("max_duration_seconds")?,
        cpu_limit: row.try_get("cpu_limit")?,
        memory_limit_mb: row.try_get("memory_limit_mb")?,
        tags: row.try_get("tags")?,
        metadata: read_json(row, "metadata")?,
    })
}

fn read_run(row: &Row) -> Result<SessionRun> {
    Ok(SessionRun {
        agent_id: row.try_get("agent_id")?,
        lost_agent_id: row.try_get("lost_agent_id")?,
        resolved_model: read_optional_json(row, "resolved_model")?,
        handover: read_optional_json(row, "handover")?,
        offered_until: row.try_get("offered_until")?,
        offered_handover: read_optional_json(row, "offered_handover")?,
        number: row.try_get("run")?,
        started_at: row.try_get("run_started_at")?,
        state: read_optional_json(row, "run_state")?,
        turns_with_changes: row.try_get("turns_with_changes")?,
        attempts: row.try_get("attempts")?,
        auto_retries: row.try_get("auto_retries")?,
        unreachable_since: row.try_get("unreachable_since")?,
        failed_collections: row.try_get("failed_collections")?,
    })
}

fn read_usage(row: &Row) -> Result<SessionUsage> {
    Ok(SessionUsage {
        total: Usage {
            tokens_input: row.try_get("tokens_input")?,
            tokens_output: row.try_get("tokens_output")?,
            tokens_reasoning: row.try_get("tokens_reasoning")?,
            tokens_cached: row.try_get("tokens_cached")?,
            cost_micros: row.try_get("cost_micros")?,
        },
        by_scope: read_json(row, "usage_by_scope")?,
        claims: read_json(row, "usage_claims")?,
    })
}

fn read_clock(row: &Row) -> Result<SessionClock> {
    Ok(SessionClock {
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        status_changed_at: row.try_get("status_changed_at")?,
        queued_at: row.try_get("queued_at")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        active_since: row.try_get("active_since")?,
        active_ms: row.try_get("active_ms")?,
    })
}

/// Reads a row with its computed columns.
pub(super) fn found_of_row(row: &Row) -> Result<FoundSession> {
    let agent_name: Option<String> = row.try_get("agent_name")?;
    let agent_kind: Option<String> = row.try_get("agent_kind")?;
    let place: Option<i64> = row.try_get("queue_place")?;
    let waiting_for = match row.try_get::<_, Option<&str>>("queue_waiting_for")? {
        Some("tokens") => WaitingFor::Tokens,
        Some("slot") => WaitingFor::Slot,
        Some("workspace") => WaitingFor::Workspace,
        _ => WaitingFor::Agent,
    };
    let now: Option<Time> = row.try_get("queue_now")?;
    let session = session_of_row(row)?;
    let queue =
        place.zip(now).map(|(place, now)| QueuePosition::new(&session, place, waiting_for, agent_name.as_deref(), now));
    Ok(FoundSession { session, agent: agent_name.zip(agent_kind), queue })
}

/// A value to be sent.
pub(super) type Value<'a> = Box<dyn ToSql + Sync + Send + 'a>;

fn json_of<T: Serialize + Debug + Sync>(value: &T) -> Value<'_> {
    Box::new(Json(value))
}

fn optional_json<T: Serialize + Debug + Sync>(value: Option<&T>) -> Value<'_> {
    Box::new(value.map(Json))
}

/// The columns that are written once, with the values to write.
pub(super) fn fixed_fields(s: &Session) -> Vec<Field<'_>> {
    vec![
        ("tenant_id", Box::new(s.tenant_id)),
        ("id", Box::new(s.id)),
        ("session_type", Box::new(s.spec.session_type.name())),
        ("initial_prompt", Box::new(s.spec.initial_prompt.as_str())),
        ("model_identifier", Box::new(s.spec.model_identifier.as_deref())),
        ("agent_config", json_of(&s.spec.agent_config)),
        ("workspace", optional_json(s.spec.workspace.as_ref())),
        (
            "workspace_key",
            Box::new(s.spec.workspace.as_ref().and_then(crate::agents::contract::workspace::Workspace::lock_key)),
        ),
        ("environment", optional_json(s.spec.environment.as_ref())),
        ("cpu_limit", Box::new(s.spec.cpu_limit)),
        ("memory_limit_mb", Box::new(s.spec.memory_limit_mb)),
        ("parent_id", Box::new(s.lineage.parent_id)),
        ("root_id", Box::new(s.lineage.root_id)),
        ("depth", Box::new(s.lineage.depth)),
        ("forked_from", optional_json(s.lineage.forked_from.as_ref())),
        ("created_by", json_of(&s.created_by)),
        ("created_at", Box::new(s.clock.created_at)),
    ]
}

/// The columns that change, with the values to write. `fence` is missing: only a claim moves it.
pub(super) fn changing_fields(s: &Session) -> Vec<Field<'_>> {
    let mut fields: Vec<Field<'_>> = vec![
        ("title", Box::new(s.spec.title.as_str())),
        ("description", Box::new(s.spec.description.as_deref())),
        ("priority", Box::new(s.spec.priority.level())),
        ("max_duration_seconds", Box::new(s.spec.max_duration_seconds)),
        ("tags", Box::new(s.spec.tags.as_slice())),
        ("metadata", json_of(&s.spec.metadata)),
        ("status", Box::new(s.status.name())),
        ("status_changed_at", Box::new(s.clock.status_changed_at)),
        ("pause_reason", Box::new(s.pause.reason.map(super::super::status::PauseReason::name))),
        ("pause_question", optional_json(s.pause.question.as_ref())),
        ("resume_at", Box::new(s.pause.resume_at)),
        ("suspended", Box::new(s.pause.suspended)),
        ("outcome", optional_json(s.outcome.as_ref())),
        ("retry_count", Box::new(s.retry_count)),
        ("intent", optional_json(s.intent.as_ref())),
        ("resolved_model", optional_json(s.run.resolved_model.as_ref())),
        ("agent_id", Box::new(s.run.agent_id)),
        ("lost_agent_id", Box::new(s.run.lost_agent_id)),
        ("handover", optional_json(s.run.handover.as_ref())),
        ("offered_until", Box::new(s.run.offered_until)),
        ("offered_handover", optional_json(s.run.offered_handover.as_ref())),
        ("run", Box::new(s.run.number)),
        ("run_started_at", Box::new(s.run.started_at)),
        ("run_state", optional_json(s.run.state.as_ref())),
        ("turns_with_changes", Box::new(s.run.turns_with_changes)),
        ("usage_by_scope", json_of(&s.usage.by_scope)),
        ("usage_claims", json_of(&s.usage.claims)),
        ("lease_until", Box::new(s.schedule.lease_until)),
        ("next_step_at", Box::new(s.schedule.next_step_at)),
        ("step_pause_ms", Box::new(s.schedule.poll_interval_ms)),
        ("failed_steps", Box::new(s.schedule.failed_steps)),
        ("interrupted_steps", Box::new(s.schedule.interrupted_steps)),
        ("attempts", Box::new(s.run.attempts)),
    ];
    fields.extend(usage_clock_and_counters(s));
    fields
}

fn usage_clock_and_counters(s: &Session) -> Vec<Field<'_>> {
    vec![
        ("auto_retries", Box::new(s.run.auto_retries)),
        ("unreachable_since", Box::new(s.run.unreachable_since)),
        ("failed_collections", Box::new(s.run.failed_collections)),
        ("tokens_input", Box::new(s.usage.total.tokens_input)),
        ("tokens_output", Box::new(s.usage.total.tokens_output)),
        ("tokens_reasoning", Box::new(s.usage.total.tokens_reasoning)),
        ("tokens_cached", Box::new(s.usage.total.tokens_cached)),
        ("cost_micros", Box::new(s.usage.total.cost_micros)),
        ("queued_at", Box::new(s.clock.queued_at)),
        ("started_at", Box::new(s.clock.started_at)),
        ("ended_at", Box::new(s.clock.ended_at)),
        ("active_since", Box::new(s.clock.active_since)),
        ("active_ms", Box::new(s.clock.active_ms)),
        ("last_event_seq", Box::new(s.last_event_seq)),
        ("last_checkpoint", Box::new(s.last_checkpoint)),
        ("version", Box::new(s.version)),
        ("updated_at", Box::new(s.clock.updated_at)),
    ]
}

fn read_json<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<T> {
    Ok(row.try_get::<_, Json<T>>(column)?.0)
}

fn read_optional_json<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<Option<T>> {
    Ok(row.try_get::<_, Option<Json<T>>>(column)?.map(|json| json.0))
}

fn read_word<T>(row: &Row, column: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    let text: &str = row.try_get(column)?;
    parse(text).ok_or_else(|| Error::internal(format!("{column} holds {text}")))
}

fn optional_word(row: &Row, column: &str) -> Result<Option<super::super::status::PauseReason>> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| serde_json::from_value(text.into()).map_err(Error::from)).transpose()
}
