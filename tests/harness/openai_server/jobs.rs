//! The jobs of the server, their events and checkpoints.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Held, Kept, MODELS, Paging, Tuned, now, page, refusal, unknown};

impl Kept {
    pub(super) fn job(&mut self, id: &str) -> &mut Tuned {
        self.jobs.iter_mut().find(|job| job.id == id).expect("the job is known")
    }
}

impl Tuned {
    pub(super) fn new(id: String, body: Value) -> Self {
        let (events, checkpoints) = (Vec::new(), Vec::new());
        Self {
            id,
            body,
            status: "validating_files".to_owned(),
            error: Value::Null,
            created_at: now(),
            events,
            checkpoints,
        }
    }

    fn view(&self, with_metadata: bool) -> Value {
        let done = self.status == "succeeded";
        let suffix = self.body["suffix"].as_str().unwrap_or_default();
        let model = self.body["model"].as_str().unwrap_or_default();
        json!({
            "id": self.id, "object": "fine_tuning.job", "status": self.status, "created_at": self.created_at,
            "finished_at": done.then(|| self.created_at + 90),
            "fine_tuned_model": done.then(|| format!("ft:{model}:acme:{suffix}:abc123")),
            "model": model, "training_file": self.body["training_file"],
            "validation_file": self.body["validation_file"], "method": self.body["method"],
            "trained_tokens": done.then_some(2_000_000), "error": self.error,
            "metadata": if with_metadata { self.body["metadata"].clone() } else { Value::Null },
        })
    }

    fn log(&mut self, id: &str, message: &str, data: &Value) {
        let kind = if data.is_null() { "message" } else { "metrics" };
        self.events.push(json!({"object": "fine_tuning.job.event", "id": id, "created_at": now(), "level": "info",
            "message": message, "type": kind, "data": data}));
    }

    #[expect(clippy::cast_precision_loss, reason = "steps are few")]
    pub(super) fn step(&mut self, event: &str, step: i64) {
        "running".clone_into(&mut self.status);
        let loss = 2.0 / (step + 1) as f64;
        let data = json!({"step": step, "total_steps": 10, "train_loss": loss, "valid_loss": loss + 0.25,
            "train_mean_token_accuracy": 0.5});
        self.log(event, &format!("Step {step}/10: training loss={loss:.2}"), &data);
    }

    pub(super) fn succeed(&mut self, event: &str) {
        "succeeded".clone_into(&mut self.status);
        self.log(event, "The job has successfully completed", &Value::Null);
        for step in [5, 9] {
            self.checkpoints.push(json!({"object": "fine_tuning.job.checkpoint", "id": format!("ftckpt-{step}"),
                "step_number": step, "metrics": {"step": step, "train_loss": 0.25, "full_valid_loss": 1.25,
                "full_valid_mean_token_accuracy": 0.75}}));
        }
    }
}

pub(super) async fn create(State(kept): Held, Json(body): Json<Value>) -> Response {
    let mut kept = kept.lock().expect("nobody panics with it");
    if !MODELS.contains(&body["model"].as_str().unwrap_or_default()) {
        return refusal(StatusCode::BAD_REQUEST, "model_not_available", "The model is not available for fine-tuning.");
    }
    for field in ["training_file", "validation_file"] {
        let id = &body[field];
        if !id.is_null() && !kept.files.iter().any(|file| *id == json!(file.id)) {
            return refusal(StatusCode::BAD_REQUEST, "invalid_file", &format!("{field} is no file."));
        }
    }
    let (kind, id) = (body["method"]["type"].as_str().unwrap_or_default(), kept.id("ftjob"));
    if !body["method"][kind]["hyperparameters"].is_object() || body["suffix"].as_str().is_none_or(|s| s.len() > 64) {
        return refusal(StatusCode::BAD_REQUEST, "invalid_request", "The method or the suffix is wrong.");
    }
    let job = Tuned::new(id, body.clone());
    let view = job.view(!kept.forgets_metadata);
    kept.jobs.push(job);
    Json(view).into_response()
}

pub(super) async fn list(State(kept): Held, Query(paging): Query<Paging>) -> Response {
    let kept = kept.lock().expect("nobody panics with it");
    page(kept.jobs.iter().map(|job| job.view(!kept.forgets_metadata)), &paging)
}

fn with(kept: &super::Shared, id: &str, answer: impl FnOnce(&mut Tuned) -> Response) -> Response {
    let mut kept = kept.lock().expect("nobody panics with it");
    kept.jobs.iter_mut().find(|job| job.id == id).map_or_else(unknown, answer)
}

pub(super) async fn retrieve(State(kept): Held, Path(id): Path<String>) -> Response {
    with(&kept, &id, |job| Json(job.view(true)).into_response())
}

pub(super) async fn cancel(State(kept): Held, Path(id): Path<String>) -> Response {
    with(&kept, &id, |job| {
        if matches!(job.status.as_str(), "succeeded" | "failed" | "cancelled") {
            return refusal(StatusCode::BAD_REQUEST, "job_not_cancellable", "The job has already ended.");
        }
        "cancelled".clone_into(&mut job.status);
        Json(job.view(true)).into_response()
    })
}

pub(super) async fn events(State(kept): Held, Path(id): Path<String>, Query(paging): Query<Paging>) -> Response {
    with(&kept, &id, |job| page(job.events.iter().cloned(), &paging))
}

pub(super) async fn checkpoints(State(kept): Held, Path(id): Path<String>, Query(paging): Query<Paging>) -> Response {
    with(&kept, &id, |job| page(job.checkpoints.iter().cloned(), &paging))
}
