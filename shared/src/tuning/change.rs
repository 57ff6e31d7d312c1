//! A change to one training job while it is being decided: the row, the events that tell of it, and what follows.

use serde_json::{Value, json};

use crate::{
    audit::{By, Entry},
    auth::ActorKind,
    clock::Time,
    error::{Code, Error, Result},
    event::tenant::TenantEvent,
    redact,
    session::outcome::Failure,
    trainer::Point,
};

use super::{
    TrainingJob,
    event::{EventType, NewEvent},
    status::Status,
};

/// A training job and what is about to be written of it, in one transaction.
pub struct Change {
    pub job: TrainingJob,
    pub now: Time,
    pub by: By,
    /// What was asked for, as the audit log calls it; `None` for what the system finds.
    pub verb: Option<&'static str>,
    before: Value,
    pub events: Vec<NewEvent>,
    /// What is new of the curve of this attempt.
    pub points: Vec<Point>,
    /// What was spent beyond what the row already held.
    pub spent_micros: i64,
}

impl Change {
    pub fn new(job: TrainingJob, by: impl Into<By>, now: Time) -> Self {
        Self {
            before: audited(&job),
            job,
            now,
            by: by.into(),
            verb: None,
            events: Vec::new(),
            points: Vec::new(),
            spent_micros: 0,
        }
    }

    /// Records an event. What providers say is kept without the secrets in it.
    pub fn event(&mut self, kind: EventType, payload: Value) {
        self.job.last_event_seq += 1;
        self.events.push(NewEvent { kind, payload: redact::masked(payload) });
    }

    pub fn log(&mut self, level: &str, message: &str) {
        let message: String = message.chars().filter(|c| *c != '\0').take(2000).collect();
        self.event(EventType::Log, json!({"level": level, "message": message}));
    }

    /// Moves the job to another state, if the table allows it.
    pub fn go(&mut self, to: Status, reason: &str) -> Result<()> {
        let from = self.job.status;
        if !from.may_go(to) {
            return Err(refuse(&self.job, &format!("A {} training job cannot become {}.", from.name(), to.name())));
        }
        let (job, now) = (&mut self.job, self.now);
        job.status = to;
        job.status_changed_at = now;
        job.version += 1;
        job.ended_at = to.is_over().then_some(now);
        if to.is_over() {
            job.next_step_at = None;
        }
        let attempt = job.attempt;
        let payload = json!({"from": from, "to": to, "reason": reason, "attempt": attempt});
        self.event(EventType::StatusChanged, payload);
        Ok(())
    }

    /// Ends the job by a failure. A provider that has it is told that nobody wants it any more.
    pub fn fail(&mut self, failure: Failure) -> Result<()> {
        let failure = super::in_our_words(failure);
        let at_provider = self.is_at_provider();
        self.job.error = Some(failure.clone());
        self.go(Status::Failed, &failure.code)?;
        self.event(EventType::Failed, json!(failure));
        if at_provider {
            self.stop();
        }
        Ok(())
    }

    /// Whether a provider may be working on it: from before it was handed over until its result was measured.
    pub fn is_at_provider(&self) -> bool {
        let is_being_measured = self.job.status == Status::Evaluating && self.job.evaluation.is_none();
        self.job.submitted_at.is_some()
            && (is_being_measured || matches!(self.job.status, Status::Queued | Status::Running))
    }

    /// Has the provider told, by the next step, that nobody wants the job any more.
    pub fn stop(&mut self) {
        self.job.stopping = true;
        self.job.tries = 0;
        self.job.next_step_at = Some(self.now);
    }

    /// Adds to what it cost.
    pub fn spend(&mut self, micros: Option<i64>) {
        let micros = micros.unwrap_or(0).max(0);
        self.job.cost_micros = self.job.cost_micros.saturating_add(micros);
        self.spent_micros = self.spent_micros.saturating_add(micros);
    }

    /// What those who watch the tenant's training are told of it.
    pub fn told(&self) -> impl Iterator<Item = TenantEvent> {
        self.events.iter().filter_map(|event| {
            let mut payload = event.payload.clone();
            payload["job_id"] = json!(self.job.id);
            Some(TenantEvent::new(event.kind.for_tenants()?, self.by.actor.clone(), self.now, payload))
        })
    }

    /// What the audit log is told of it: everything that was asked for, and of what the system finds the moves alone.
    pub fn entry(&self) -> Option<Entry> {
        let after = audited(&self.job);
        let moved = self.before["status"] != after["status"];
        let asked = self.verb.is_some() || self.by.actor.kind != ActorKind::System;
        if !(moved || asked && self.before != after) {
            return None;
        }
        let verb = self.verb.unwrap_or(self.job.status.name());
        Some(self.record(verb).changes(&self.before, &after))
    }

    /// What the audit log is told of a job that was made.
    pub fn birth(&self) -> Entry {
        let job = &self.job;
        let mut after = audited(job);
        after["base_model"] = json!(job.base_model);
        after["target_model_name"] = json!(job.target_model_name);
        after["provider"] = json!(job.provider);
        after["parameters"] = json!(job.parameters);
        after["dataset"] = job.recipe.clone();
        self.record("create").after(after)
    }

    fn record(&self, verb: &str) -> Entry {
        Entry::new(self.by.clone(), self.now, format!("training_job.{verb}"), self.job.id)
    }
}

/// What the audit log tells of a job as it goes on.
fn audited(job: &TrainingJob) -> Value {
    json!({
        "status": job.status,
        "attempt": job.attempt,
        "error": job.error.as_ref().map(|error| &error.code),
        "model_version": job.model.as_ref().map(|(_, version)| version),
        "cost_micros": job.cost_micros,
    })
}

/// The refusal of a call that the job's state does not allow. It names the state and the ways out of it.
#[track_caller]
pub fn refuse(job: &TrainingJob, detail: &str) -> Error {
    Error::new(Code::InvalidTransition, detail).with_current(json!({
        "status": job.status,
        "allowed_transitions": job.status.next(),
        "version": job.version,
    }))
}
