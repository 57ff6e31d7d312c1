//! A change to a training job while it is decided: the row, its events, and the audit entry.

use serde_json::{Value, json};

use crate::{
    events::log::tenant::TenantEvent,
    identity::audit::AuditEntry,
    kernel::{
        actor::{ActorKind, By},
        clock::Time,
        error::{Code, Error, Result},
        failure::Failure,
        redact,
    },
    training::trainers::Point,
};

use super::{
    TrainingJob,
    event::{NewTrainingEvent, TrainingEventType},
    status::TrainingStatus,
};

/// A training job with a change that one transaction will save.
pub struct TrainingJobChange {
    pub job: TrainingJob,
    pub now: Time,
    pub by: By,
    /// The command, as the audit log names it; `None` for changes by the system.
    pub action: Option<&'static str>,
    before: Value,
    pub events: Vec<NewTrainingEvent>,
    /// New points of the curve of this attempt.
    pub points: Vec<Point>,
    /// The cost to add to the usage of the tenant.
    pub spent_micros: i64,
}

impl TrainingJobChange {
    pub fn new(job: TrainingJob, by: impl Into<By>, now: Time) -> Self {
        Self {
            before: audit_fields(&job),
            job,
            now,
            by: by.into(),
            action: None,
            events: Vec::new(),
            points: Vec::new(),
            spent_micros: 0,
        }
    }

    /// Records an event. Secrets in the texts of providers are masked.
    pub fn add_event(&mut self, kind: TrainingEventType, payload: Value) {
        self.job.last_event_seq += 1;
        self.events.push(NewTrainingEvent { kind, payload: redact::mask_secrets(payload) });
    }

    pub fn add_log(&mut self, level: &str, message: &str) {
        // A cut may divide a secret, so secrets are removed before it.
        let message: String = message.chars().filter(|c| *c != '\0').take(4000).collect();
        let message: String = redact::redact_owned(message).chars().take(2000).collect();
        self.add_event(TrainingEventType::Log, json!({"level": level, "message": message}));
    }

    /// Moves the job to another status, if the table allows the transition.
    pub fn transition_to(&mut self, to: TrainingStatus, reason: &str) -> Result<()> {
        let from = self.job.status;
        if !from.may_go(to) {
            return Err(invalid_transition(
                &self.job,
                &format!("A {} training job cannot become {}.", from.name(), to.name()),
            ));
        }
        let (job, now) = (&mut self.job, self.now);
        job.status = to;
        job.status_changed_at = now;
        job.version += 1;
        job.ended_at = to.is_over().then_some(now);
        if to.is_over() {
            job.schedule.next_step_at = None;
        }
        let attempt = job.attempt;
        let payload = json!({"from": from, "to": to, "reason": reason, "attempt": attempt});
        self.add_event(TrainingEventType::StatusChanged, payload);
        Ok(())
    }

    /// Ends the job with a failure. If a provider has it, the next step cancels it there.
    pub fn fail(&mut self, failure: Failure) -> Result<()> {
        let failure = super::with_training_remedy(failure);
        let at_provider = self.is_at_provider();
        self.job.error = Some(failure.clone());
        self.transition_to(TrainingStatus::Failed, &failure.code)?;
        self.add_event(TrainingEventType::Failed, json!(failure));
        if at_provider {
            self.request_stop();
        }
        Ok(())
    }

    /// Whether a provider may be working on it: from before its submission until its result is evaluated.
    pub fn is_at_provider(&self) -> bool {
        let is_being_measured = self.job.status == TrainingStatus::Evaluating && self.job.evaluation.is_none();
        self.job.submitted_at.is_some()
            && (is_being_measured || matches!(self.job.status, TrainingStatus::Queued | TrainingStatus::Running))
    }

    /// Has the next step cancel the job at the provider.
    pub fn request_stop(&mut self) {
        self.job.stopping = true;
        self.job.schedule.transient_failures = 0;
        self.job.schedule.next_step_at = Some(self.now);
    }

    /// Adds to the cost.
    pub fn add_cost(&mut self, micros: Option<i64>) {
        let micros = micros.unwrap_or(0).max(0);
        self.job.cost_micros = self.job.cost_micros.saturating_add(micros);
        self.spent_micros = self.spent_micros.saturating_add(micros);
    }

    /// The events of this change for the topic of the tenant.
    pub fn tenant_events(&self) -> impl Iterator<Item = TenantEvent> {
        self.events.iter().filter_map(|event| {
            let mut payload = event.payload.clone();
            payload["job_id"] = json!(self.job.id);
            Some(TenantEvent::new(event.kind.for_tenants()?, self.by.actor.clone(), self.now, payload))
        })
    }

    /// The audit entry of this change: for every command, and for transitions made by the system.
    pub fn audit_entry(&self) -> Option<AuditEntry> {
        let after = audit_fields(&self.job);
        let moved = self.before["status"] != after["status"];
        let asked = self.action.is_some() || self.by.actor.kind != ActorKind::System;
        if !(moved || asked && self.before != after) {
            return None;
        }
        let action = self.action.unwrap_or(self.job.status.name());
        Some(self.new_entry(action).with_changes(&self.before, &after))
    }

    /// The audit entry of a new job.
    pub fn creation_entry(&self) -> AuditEntry {
        let job = &self.job;
        let mut after = audit_fields(job);
        after["base_model"] = json!(job.base_model);
        after["target_model_name"] = json!(job.target_model_name);
        after["provider"] = json!(job.provider);
        after["parameters"] = json!(job.parameters);
        after["dataset"] = job.recipe.clone();
        self.new_entry("create").with_after(after)
    }

    fn new_entry(&self, action: &str) -> AuditEntry {
        AuditEntry::new(self.by.clone(), self.now, format!("training_job.{action}"), self.job.id)
    }
}

/// The fields of a job in the audit log.
fn audit_fields(job: &TrainingJob) -> Value {
    json!({
        "status": job.status,
        "attempt": job.attempt,
        "error": job.error.as_ref().map(|error| &error.code),
        "model_version": job.model.as_ref().map(|(_, version)| version),
        "cost_micros": job.cost_micros,
    })
}

/// The error for a command that the status does not allow. It names the status and its transitions.
#[track_caller]
pub fn invalid_transition(job: &TrainingJob, detail: &str) -> Error {
    Error::new(Code::InvalidTransition, detail).with_current(json!({
        "status": job.status,
        "allowed_transitions": job.status.next(),
        "version": job.version,
    }))
}
