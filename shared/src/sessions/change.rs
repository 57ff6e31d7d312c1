//! A change to one session while it is being decided: the row, the events that record the change, and its consequences.
//! The transitions decide what changes; the store writes a change in one transaction.

use serde_json::{Value, json};

use crate::{
    agents::contract::{RunOutput, RunState, UserMessage},
    events::log::{
        EventType, NewEvent,
        tenant::{TenantEvent, TenantEventType},
    },
    identity::audit::AuditEntry,
    kernel::{
        actor::{Actor, ActorKind, By},
        calendar::month_of,
        clock::Time,
        error::{Code, Error, Result},
        failure::Failure,
        id::{AgentId, MessageId},
        redact, text,
        usage::Usage,
    },
};

pub use super::checkpoint_cause::CheckpointCause;
use super::{
    outcome::Outcome,
    session::{Handover, Session},
    status::Status,
};

/// A checkpoint that is not written yet.
#[derive(Clone, Debug)]
pub struct NewCheckpoint {
    pub sequence: i32,
    pub cause: CheckpointCause,
    pub event_seq: i64,
    pub run_state: Option<RunState>,
    /// `None`: the patch of the previous checkpoint still holds.
    pub patch: Option<String>,
    pub summary: String,
    pub data: Option<Value>,
    pub note: Option<String>,
}

/// The result of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunResult {
    pub agent_id: AgentId,
    /// 1 for a completed session, 0.5 for a partially completed one, else 0.
    pub success: f32,
    /// The success rate that the run reported, 0..1.
    pub quality: Option<f32>,
}

/// A session and everything that is to be written with it, in one transaction.
pub struct SessionChange {
    pub session: Session,
    pub now: Time,
    pub by: By,
    /// The requested command, as the audit log names it; `None` for a change that the system makes by itself.
    pub verb: Option<&'static str>,
    /// The audited fields before the change.
    before: Value,
    /// The status and the number of the run before the change.
    previous: (Status, i32),
    pub previous_agent: Option<AgentId>,
    pub events: Vec<NewEvent>,
    pub checkpoints: Vec<NewCheckpoint>,
    /// The files and artifacts that replace the stored ones.
    pub work: Option<RunOutput>,
    /// Messages of people that the agent is to get.
    pub messages: Vec<(MessageId, UserMessage)>,
    /// Messages that the agent has got.
    pub delivered_messages: Vec<MessageId>,
    /// Usage beyond what the row already held.
    pub spent: Usage,
    /// The code of a failure of its agent that ends no run: the session goes on elsewhere, and it counts against the
    /// agent.
    pub agent_failure: Option<(AgentId, String)>,
    /// The session's offer ends: its task at an external agent can no longer be claimed.
    pub closes_tasks: bool,
    /// The change frees a slot, a workspace or a place at an agent, so queued sessions may start.
    pub frees_slot: bool,
    /// The session ended without success, so the sessions that wait for it are orphaned.
    pub orphans_children: bool,
}

impl SessionChange {
    pub fn new(session: Session, by: impl Into<By>, now: Time) -> Self {
        Self {
            before: audited_fields(&session),
            previous: (session.status, session.run.number),
            previous_agent: session.run.agent_id,
            session,
            now,
            by: by.into(),
            verb: None,
            events: Vec::new(),
            checkpoints: Vec::new(),
            work: None,
            messages: Vec::new(),
            delivered_messages: Vec::new(),
            spent: Usage::default(),
            agent_failure: None,
            closes_tasks: false,
            frees_slot: false,
            orphans_children: false,
        }
    }

    /// Adds an event by the actor of this change.
    pub fn add_event(&mut self, kind: EventType, payload: Value) {
        let actor = self.by.actor.clone();
        self.add_event_by(actor, kind, payload);
    }

    /// Adds an event by another actor, of a few KiB. Secrets are masked; messages of people stay as they are.
    pub fn add_event_by(&mut self, actor: Actor, kind: EventType, payload: Value) {
        let by_person = matches!(actor.kind, ActorKind::User | ActorKind::Key);
        let is_message_of_person = kind == EventType::Message && by_person;
        let masks = kind.may_quote_an_agent() && !is_message_of_person;
        let payload = if masks { redact::mask_secrets(payload) } else { payload };
        self.add_redacted_event(actor, kind, text::without_nul(payload));
    }

    /// Adds an event of any size whose secrets were removed before the transaction began.
    pub fn add_redacted_event(&mut self, actor: Actor, kind: EventType, payload: Value) {
        self.session.last_event_seq += 1;
        self.events.push(NewEvent { kind, actor, payload });
    }

    /// Adds a line to the session's log.
    pub fn add_log(&mut self, payload: Value) {
        self.add_event(EventType::Log, payload);
    }

    /// Whether the session is over from now on.
    pub fn ends_session(&self) -> bool {
        self.session.status.is_over() && !self.previous.0.is_over()
    }

    /// Moves the session to another status and updates its clock. Refuses a move that the table of [`Status`] does not
    /// allow.
    pub fn transition_to(&mut self, to: Status, reason: &str) -> Result<()> {
        let from = self.session.status;
        if !from.may_go(to) {
            let detail = format!("A {} session cannot become {}.", from.name(), to.name());
            return Err(invalid_transition(&self.session, &detail));
        }
        self.stop_clocks(from, to);
        if self.session.run.end_offer() && !to.holds_slot() {
            (self.frees_slot, self.closes_tasks) = (true, true);
        }
        let (session, now) = (&mut self.session, self.now);
        session.status = to;
        session.clock.status_changed_at = now;
        session.version += 1;
        if to.holds_slot() && session.clock.active_since.is_none() {
            session.clock.active_since = Some(now);
            session.clock.started_at.get_or_insert(now);
        }
        session.pause.suspended &= from != Status::Paused && !to.is_over();
        session.clock.queued_at = (to == Status::Queued).then_some(now);
        session.clock.ended_at = to.is_over().then_some(now);
        if to.is_over() {
            session.intent = None;
            session.run.handover = None;
        } else {
            session.outcome = None;
        }
        self.orphans_children =
            matches!(to, Status::Failed | Status::Timeout | Status::Stopped | Status::Cancelled | Status::Orphaned);
        self.add_event(EventType::StatusChanged, json!({"from": from, "to": to, "reason": reason}));
        Ok(())
    }

    fn stop_clocks(&mut self, from: Status, to: Status) {
        let (session, now) = (&mut self.session, self.now);
        if from.holds_slot() && !to.holds_slot() {
            session.clock.active_ms = session.active_for(now).num_milliseconds();
            session.clock.active_since = None;
            self.frees_slot = true;
        }
        if from == Status::Paused {
            session.pause.reason = None;
            session.pause.question = None;
            session.pause.resume_at = None;
        }
    }

    /// Begins a new run. The agent sees identifiers that contain the number of the run.
    pub fn begin_run(&mut self) {
        let (session, now) = (&mut self.session, self.now);
        session.run.number += 1;
        session.run.started_at = Some(now);
        session.run.attempts = 0;
        session.run.auto_retries = 0;
        session.run.unreachable_since = None;
        session.run.failed_collections = 0;
        session.schedule.next_step_at = Some(now);
        session.schedule.poll_interval_ms = 0;
    }

    /// Has the next run continue from the last checkpoint, or start anew if there is none.
    pub fn hand_over_from_checkpoint(&mut self) {
        let session = &mut self.session;
        let (session_id, sequence) = (session.id, session.last_checkpoint);
        let checkpoint = Handover::Checkpoint { session_id, sequence };
        session.run.handover = Some(if sequence > 0 { checkpoint } else { Handover::Start });
    }

    /// Takes a checkpoint with the work so far, whose summary has no secrets, and which also replaces the stored files.
    /// Without work, the patch of the previous checkpoint still holds.
    pub fn checkpoint_with(&mut self, cause: CheckpointCause, work: Option<RunOutput>) {
        self.add_checkpoint(cause, work.as_ref(), None, None);
        if work.is_some() {
            self.session.run.failed_collections = 0;
            self.work = work;
        }
    }

    /// Takes a checkpoint that a person requested, with data and a note of theirs.
    pub fn checkpoint_on_request(&mut self, data: Option<Value>, note: Option<String>) {
        self.add_checkpoint(CheckpointCause::Manual, None, data, note);
    }

    fn add_checkpoint(
        &mut self,
        cause: CheckpointCause,
        work: Option<&RunOutput>,
        data: Option<Value>,
        note: Option<String>,
    ) {
        self.session.last_checkpoint += 1;
        let sequence = self.session.last_checkpoint;
        self.add_event(
            EventType::CheckpointCreated,
            json!({"sequence": sequence, "cause": cause.name(), "note": note}),
        );
        self.checkpoints.push(NewCheckpoint {
            sequence,
            cause,
            event_seq: self.session.last_event_seq,
            run_state: self.session.run.state.clone(),
            patch: work.map(|work| work.patch.clone()),
            summary: work.map(|work| work.summary.clone()).unwrap_or_default(),
            data,
            note,
        });
    }

    /// Records the outcome of a session that has just ended. Its secrets were removed before the transaction began.
    pub fn record_outcome(&mut self, outcome: Outcome) {
        let kind = if outcome.error.is_some() && self.session.status != Status::PartiallyCompleted {
            EventType::Failed
        } else {
            EventType::Completed
        };
        self.add_redacted_event(self.by.actor.clone(), kind, serde_json::to_value(&outcome).unwrap_or(Value::Null));
        self.session.outcome = Some(outcome);
    }

    /// After an end: the next step aborts the agent's run, if the agent was ever given the work.
    pub fn schedule_cleanup(&mut self) {
        self.session.schedule.next_step_at = self.session.run.state.is_some().then_some(self.now);
    }

    /// After an end: no step is due, because the agent is idle already.
    pub fn schedule_nothing(&mut self) {
        self.session.schedule.next_step_at = None;
    }

    /// The result to credit to the agent: only what was observed of its work. What a person reports is no evidence, and
    /// a server that does not answer says nothing about the work.
    pub fn agent_result(&self) -> Option<RunResult> {
        let error = self.session.outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
        let is_observed = self.verb.is_none() && !error.is_some_and(Failure::is_server_fault);
        self.run_result().filter(|_| is_observed)
    }

    /// The result of the run that this change ends, if it ends one. Cancellations, invalid requests and our own
    /// failures do not count.
    pub fn run_result(&self) -> Option<RunResult> {
        let session = &self.session;
        let has_ended = session.clock.ended_at == Some(self.now) && session.run.number > 0;
        let agent_id = session.run.agent_id.filter(|_| has_ended)?;
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
        Some(RunResult { agent_id, success, quality })
    }

    /// The tenant event about the session's agent: that it was assigned a run, or that a run of it ended.
    pub fn agent_event(&self) -> Option<TenantEvent> {
        let session = &self.session;
        let (agent_id, (previous_status, previous_run)) = (session.run.agent_id?, self.previous);
        let mut payload = json!({"agent_id": agent_id, "session_id": session.id, "run": session.run.number});
        let begins = session.run.number > previous_run || previous_status == Status::Queued;
        let kind = if begins && session.status.holds_slot() {
            TenantEventType::AgentTaskAssigned
        } else if session.status.is_over() && !previous_status.is_over() && session.run.number > 0 {
            payload["status"] = session.status.name().into();
            TenantEventType::AgentTaskCompleted
        } else {
            return None;
        };
        Some(TenantEvent::new(kind, self.by.actor.clone(), self.now, payload))
    }

    /// The audit entry of the change: of every requested command, and of the status changes that the system makes.
    pub fn audit_entry(&self) -> Option<AuditEntry> {
        let after = audited_fields(&self.session);
        let changes_status = self.before["status"] != after["status"];
        let is_requested = self.verb.is_some() || self.by.actor.kind != ActorKind::System;
        let changes_anything = !self.events.is_empty() || self.before != after;
        if !(changes_status || is_requested && changes_anything) {
            return None;
        }
        let verb = self.verb.unwrap_or_else(|| if changes_status { self.session.status.name() } else { "update" });
        let entry = self.new_entry(verb);
        Some(entry.with_changes(&self.before, &after))
    }

    /// The audit entry of the session's creation.
    pub fn creation_entry(&self) -> AuditEntry {
        let mut after = audited_fields(&self.session);
        after["parent_id"] = json!(self.session.lineage.parent_id);
        after["forked_from"] = json!(self.session.lineage.forked_from);
        // An agent creates sessions for somebody.
        if self.by.actor != self.session.created_by {
            after["on_behalf_of"] = json!(self.session.created_by);
        }
        self.new_entry(self.verb.unwrap_or("create")).with_after(after)
    }

    /// The audit entry of the session's deletion.
    pub fn deletion_entry(&self) -> AuditEntry {
        self.new_entry("delete").with_before(self.before.clone())
    }

    fn new_entry(&self, verb: &str) -> AuditEntry {
        AuditEntry::new(self.by.clone(), self.now, format!("session.{verb}"), self.session.id)
    }

    /// The first day of the month that the usage of this change counts towards.
    pub fn usage_month(&self) -> chrono::NaiveDate {
        month_of(self.now)
    }
}

/// The fields that the audit log compares: what people set and decide, not what an agent does.
fn audited_fields(session: &Session) -> Value {
    json!({
        "status": session.status,
        "title": session.spec.title,
        "description": session.spec.description,
        "priority": session.spec.priority.word(),
        "tags": session.spec.tags,
        "metadata": session.spec.metadata,
        "max_duration_seconds": session.spec.max_duration_seconds,
        "pause_reason": session.pause.reason,
        "asked": session.intent.as_ref().map(|intent| intent.verb),
        "retry_count": session.retry_count,
        "last_checkpoint": session.last_checkpoint,
    })
}

/// The error for a command that the session's status does not allow. It names the status and its allowed transitions.
#[track_caller]
pub fn invalid_transition(session: &Session, detail: &str) -> Error {
    Error::new(Code::InvalidTransition, detail).with_current(json!({
        "status": session.status,
        "allowed_transitions": session.status.next(),
        "version": session.version,
    }))
}
