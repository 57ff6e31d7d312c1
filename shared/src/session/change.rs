//! A change to one session while it is being decided: the row, the events that tell of it, and what follows.

use chrono::{Datelike, Months};
use serde_json::{Value, json};

use crate::{
    audit::{By, Entry},
    auth::{Actor, ActorKind},
    clock::Time,
    error::{Code, Error, Result},
    event::{
        EventType, NewEvent,
        tenant::{Kind, TenantEvent},
    },
    id::{AgentId, MessageId},
    redact,
    runtime::{RunState, Said, Work},
    text,
};

use super::{Session, status::Status, usage::Usage};

/// Why a checkpoint was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    Dispatch,
    Turn,
    Pause,
    Stop,
    Manual,
}

impl Cause {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Turn => "turn",
            Self::Pause => "pause",
            Self::Stop => "stop",
            Self::Manual => "manual",
        }
    }
}

/// A checkpoint to be written.
#[derive(Clone, Debug)]
pub struct NewCheckpoint {
    pub sequence: i32,
    pub cause: Cause,
    pub event_seq: i64,
    pub run_state: Option<RunState>,
    /// `None` = as in the checkpoint before.
    pub patch: Option<String>,
    pub summary: String,
    pub data: Option<Value>,
    pub note: Option<String>,
}

/// What came of a run, as the figures of its agent count it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgentResult {
    pub agent_id: AgentId,
    /// 1, 0.5 when part of the work stands, 0.
    pub success: f32,
    /// 0..1, where the run said.
    pub quality: Option<f32>,
}

/// A session and what is about to be written of it, in one transaction.
pub struct Change {
    pub session: Session,
    pub now: Time,
    pub by: By,
    /// What was asked for, as the audit log calls it; `None` for what the system finds.
    pub verb: Option<&'static str>,
    /// The session as it was, as far as the audit log tells of it.
    before: Value,
    /// How it stood, and in which run.
    was: (Status, i32),
    pub events: Vec<NewEvent>,
    pub checkpoints: Vec<NewCheckpoint>,
    /// The files and artifacts that replace the stored ones.
    pub work: Option<Work>,
    pub said: Vec<(MessageId, Said)>,
    pub delivered: Vec<MessageId>,
    /// What was spent beyond what the row already held.
    pub spent: Usage,
    /// A slot, a workspace or a place at an agent became free, so others may start.
    pub freed: bool,
    /// It ended without success: those that waited on it are called off.
    pub orphans: bool,
}

impl Change {
    pub fn new(session: Session, by: impl Into<By>, now: Time) -> Self {
        Self {
            before: audited(&session),
            was: (session.status, session.run),
            session,
            now,
            by: by.into(),
            verb: None,
            events: Vec::new(),
            checkpoints: Vec::new(),
            work: None,
            said: Vec::new(),
            delivered: Vec::new(),
            spent: Usage::default(),
            freed: false,
            orphans: false,
        }
    }

    /// Records an event by the actor of this change.
    pub fn event(&mut self, kind: EventType, payload: Value) {
        let actor = self.by.actor.clone();
        self.event_by(actor, kind, payload);
    }

    /// What agents print is kept without the secrets in it; what people say is kept as they said it.
    pub fn event_by(&mut self, actor: Actor, kind: EventType, payload: Value) {
        let of_a_person = matches!(actor.kind, ActorKind::User | ActorKind::Key);
        let said = kind == EventType::Message && of_a_person;
        let payload = if kind.may_quote_an_agent() && !said { redact::masked(payload) } else { payload };
        let payload = text::without_nul(payload);
        self.session.last_event_seq += 1;
        self.events.push(NewEvent { kind, actor, payload });
    }

    /// Moves the session to another state, if the table allows it, and keeps its clocks.
    pub fn go(&mut self, to: Status, reason: &str) -> Result<()> {
        let from = self.session.status;
        if !from.may_go(to) {
            return Err(refuse(&self.session, &format!("A {} session cannot become {}.", from.name(), to.name())));
        }
        self.stop_clocks(from, to);
        let (session, now) = (&mut self.session, self.now);
        session.status = to;
        session.status_changed_at = now;
        session.version += 1;
        if to.holds_slot() && session.active_since.is_none() {
            session.active_since = Some(now);
            session.started_at.get_or_insert(now);
        }
        session.suspended &= from != Status::Paused && !to.is_over();
        session.queued_at = (to == Status::Queued).then_some(now);
        session.ended_at = to.is_over().then_some(now);
        if to.is_over() {
            session.intent = None;
            session.handover = None;
        } else {
            session.outcome = None;
        }
        self.orphans =
            matches!(to, Status::Failed | Status::Timeout | Status::Stopped | Status::Cancelled | Status::Orphaned);
        self.event(EventType::StatusChanged, json!({"from": from, "to": to, "reason": reason}));
        Ok(())
    }

    fn stop_clocks(&mut self, from: Status, to: Status) {
        let (session, now) = (&mut self.session, self.now);
        if from.holds_slot() && !to.holds_slot() {
            session.active_ms = session.active_for(now).num_milliseconds();
            session.active_since = None;
            self.freed = true;
        }
        if from == Status::Paused {
            session.pause_reason = None;
            session.pause_question = None;
            session.resume_at = None;
        }
    }

    /// Takes a checkpoint of what is known now. `work` is the diff so far; without it the last one is kept.
    pub fn checkpoint(&mut self, cause: Cause, work: Option<&Work>) {
        self.checkpoint_with(cause, work, None, None);
    }

    pub fn checkpoint_with(&mut self, cause: Cause, work: Option<&Work>, data: Option<Value>, note: Option<String>) {
        self.session.last_checkpoint += 1;
        let sequence = self.session.last_checkpoint;
        self.event(EventType::CheckpointCreated, json!({"sequence": sequence, "cause": cause.name(), "note": note}));
        self.checkpoints.push(NewCheckpoint {
            sequence,
            cause,
            event_seq: self.session.last_event_seq,
            run_state: self.session.run_state.clone(),
            patch: work.map(|work| work.patch.clone()),
            summary: work.map(|work| redact::text(&work.summary).into_owned()).unwrap_or_default(),
            data,
            note,
        });
    }

    /// What came of the agent's run, if it ended now and by what the agent did: what people called off, what they asked
    /// for in vain and what we broke says nothing about it.
    pub fn result(&self) -> Option<AgentResult> {
        let session = &self.session;
        let agent_id = session.agent_id.filter(|_| session.ended_at == Some(self.now) && session.run > 0)?;
        let outcome = session.outcome.as_ref()?;
        let success = match session.status {
            Status::Completed => 1.0,
            Status::PartiallyCompleted => 0.5,
            Status::Failed | Status::Timeout
                if outcome.error.as_ref().is_some_and(|error| error.category.is_of_agent()) =>
            {
                0.0
            }
            _ => return None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "a share of one, as the figures keep it")]
        let quality = outcome.success_rate.map(|rate| rate as f32);
        Some(AgentResult { agent_id, success, quality })
    }

    /// What is told of the session's agent: that it was given a run, and how a run ended.
    pub fn of_agent(&self) -> Option<TenantEvent> {
        let session = &self.session;
        let (agent_id, (was, run)) = (session.agent_id?, self.was);
        let mut payload = json!({"agent_id": agent_id, "session_id": session.id, "run": session.run});
        let kind = if session.run > run && session.status.holds_slot() {
            Kind::AgentTaskAssigned
        } else if session.status.is_over() && !was.is_over() && session.run > 0 {
            payload["status"] = session.status.name().into();
            Kind::AgentTaskCompleted
        } else {
            return None;
        };
        Some(TenantEvent::new(kind, self.by.actor.clone(), self.now, payload))
    }

    /// What the audit log is told of it: everything that was asked for, and of what the system finds the moves alone.
    pub fn entry(&self) -> Option<Entry> {
        let after = audited(&self.session);
        let moved = self.before["status"] != after["status"];
        let asked = self.verb.is_some() || self.by.actor.kind != ActorKind::System;
        let something = !self.events.is_empty() || self.before != after;
        if !(moved || asked && something) {
            return None;
        }
        let verb = self.verb.unwrap_or_else(|| if moved { self.session.status.name() } else { "update" });
        let entry = self.record(verb);
        Some(entry.changes(&self.before, &after))
    }

    /// What the audit log is told of a session that is made.
    pub fn birth(&self) -> Entry {
        let mut after = audited(&self.session);
        after["parent_id"] = json!(self.session.parent_id);
        after["forked_from"] = json!(self.session.forked_from);
        self.record(self.verb.unwrap_or("create")).after(after)
    }

    /// What the audit log is told of a session that is removed.
    pub fn removal(&self) -> Entry {
        self.record("delete").before(self.before.clone())
    }

    fn record(&self, verb: &str) -> Entry {
        Entry::new(self.by.clone(), self.now, format!("session.{verb}"), self.session.id)
    }

    /// The first day of the month that spending of now counts in.
    pub fn month(&self) -> chrono::NaiveDate {
        month_of(self.now)
    }
}

/// What the audit log tells of a session: what people set and decide, not what an agent does in it.
fn audited(session: &Session) -> Value {
    json!({
        "status": session.status,
        "title": session.title,
        "description": session.description,
        "priority": session.priority.word(),
        "tags": session.tags,
        "metadata": session.metadata,
        "max_duration_seconds": session.max_duration_seconds,
        "pause_reason": session.pause_reason,
        "asked": session.intent.as_ref().map(|intent| intent.verb),
        "retry_count": session.retry_count,
        "last_checkpoint": session.last_checkpoint,
    })
}

/// The first day of a time's month, in UTC.
pub fn month_of(time: Time) -> chrono::NaiveDate {
    let date = time.date_naive();
    date.with_day(1).unwrap_or(date)
}

/// The first moment of the month after, in UTC.
pub fn next_month(now: Time) -> Time {
    let first = month_of(now);
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    next.and_hms_opt(0, 0, 0).map_or(now, |time| time.and_utc())
}

/// The refusal of a call that the session's state does not allow. It names the state and the ways out of it.
#[track_caller]
pub fn refuse(session: &Session, detail: &str) -> Error {
    Error::new(Code::InvalidTransition, detail).with_current(json!({
        "status": session.status,
        "allowed_transitions": session.status.next(),
        "version": session.version,
    }))
}
