//! A minimal control plane: one agent, tasks in memory, and faults on purpose.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{post, put},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    agents::{
        contract::Question,
        eap::server::{
            MAX_ARTIFACT,
            registration::{AgentRegistration, Heartbeat, NewHeartbeat, NewRegistration},
            report::{NewProgress, Progress},
            result::{NewResult, TaskOutcome},
            sign::new_secret,
            task_id,
        },
    },
    kernel::id::{AgentId, ExternalTaskId, SessionId},
};
use tokio::time::sleep;

/// The heartbeat interval that the agent is given, in seconds.
pub(super) const HEARTBEAT_INTERVAL: f64 = 0.5;

/// How long a lease lasts.
pub(super) const LEASE: Duration = Duration::from_secs(4);

/// The observations of one task.
pub(super) struct Task {
    pub(super) described: Value,
    pub(super) claimed: bool,
    /// The numbers of its accepted reports, and when they arrived.
    pub(super) reports: Vec<(i64, Instant)>,
    /// Every result as it was sent, with the content of uploads in its place.
    pub(super) results: Vec<Value>,
    /// What was uploaded, by its hash.
    uploads: BTreeMap<String, Bytes>,
    pub(super) cancel: bool,
    pub(super) lost: bool,
    /// The newest lease, and how many reports named it.
    pub(super) newest_lease: i64,
    pub(super) reports_of_newest_lease: u32,
    /// The question that the agent asked.
    pub(super) question: Option<Question>,
    messages: Vec<Value>,
    /// The number of the newest message that the agent acknowledged.
    pub(super) received: i32,
    /// How many reports, and how many results, are still answered with 500.
    pub(super) fail_reports: u32,
    pub(super) fail_results: u32,
    /// The violated rules.
    pub(super) wrong: Vec<String>,
}

impl Task {
    /// Has the agent receive a message with its next report.
    pub(super) fn send_message(&mut self, mut message: Value) {
        message["number"] = json!(self.messages.len() + 1);
        self.messages.push(message);
    }

    /// A result with the content of uploads in its place, or the upload that is missing.
    fn with_uploads(&self, mut result: Value) -> Result<Value, String> {
        for artifact in result["artifacts"].as_array_mut().into_iter().flatten() {
            let Some(hash) = artifact["sha256"].as_str().map(str::to_owned) else { continue };
            let content = self.uploads.get(&hash).ok_or_else(|| format!("{hash} was not uploaded for this task"))?;
            artifact["content"] = json!(BASE64_STANDARD.encode(content));
            artifact["encoding"] = json!("base64");
        }
        Ok(result)
    }

    /// Records a report, and returns the response to it.
    fn record(&mut self, report: &Progress) -> Value {
        self.reports.push((report.seq, Instant::now()));
        if report.lease_token == Some(self.newest_lease) {
            self.reports_of_newest_lease += 1;
        }
        self.received = self.received.max(report.received);
        if let Some(question) = report.report.as_ref().and_then(|report| report.question.clone()) {
            self.question.get_or_insert(question);
        }
        let unread = usize::try_from(self.received).unwrap_or_default();
        match self.messages.get(unread..) {
            Some(messages) if !messages.is_empty() => json!({"cancel": self.cancel, "messages": messages}),
            _ => json!({"cancel": self.cancel}),
        }
    }
}

/// The observations of all tasks and of the agent.
#[derive(Default)]
pub(super) struct Known {
    pub(super) registered: Option<AgentRegistration>,
    pub(super) agent_id: String,
    pub(super) secret: String,
    /// The valid tokens: that of the registration, and those of rotations.
    tokens: Vec<String>,
    pub(super) heartbeats: u32,
    pub(super) tasks: BTreeMap<ExternalTaskId, Task>,
    /// The rules that were violated outside of a task.
    pub(super) wrong: Vec<String>,
}

#[derive(Clone, Default)]
pub(super) struct Plane(Arc<Mutex<Known>>);

impl Plane {
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn routes(&self) -> Router {
        let below = "/api/v1/agents/external";
        Router::new()
            .route(&format!("{below}/register"), post(register))
            .route(&format!("{below}/{{id}}/heartbeat"), post(heartbeat))
            .route(&format!("{below}/{{id}}/token/rotate"), post(rotate))
            .route(&format!("{below}/{{id}}/tasks/claim"), post(claim))
            .route(&format!("{below}/{{id}}/tasks/{{task}}/progress"), post(progress))
            .route(&format!("{below}/{{id}}/tasks/{{task}}/artifacts/{{sha256}}"), put(artifact))
            .route(&format!("{below}/{{id}}/tasks/{{task}}/result"), post(result))
            .layer(DefaultBodyLimit::max(MAX_ARTIFACT))
            .with_state(self.clone())
    }

    /// Creates a task and returns its id.
    pub(super) fn offer(
        &self,
        url: &str,
        prompt: &str,
        directory: &str,
        change: impl FnOnce(&mut Task),
    ) -> ExternalTaskId {
        let session_id = SessionId::new();
        let id = task_id(session_id, 1);
        let mut known = self.known();
        let callback_url = format!("{url}/api/v1/agents/external/{}/tasks/{id}", known.agent_id);
        let described = json!({
            "task_id": id, "session_id": session_id, "task_type": "execution", "input_data": {}, "requirements": {},
            "context": {"title": "Conformance", "prompt": prompt, "workspace": {"directory": directory}},
            "timeout_seconds": 600, "callback_url": callback_url,
            "lease": {"token": 1, "expires_at": "2100-01-01T00:00:00Z"},
        });
        let mut task = Task {
            described,
            claimed: false,
            reports: Vec::new(),
            results: Vec::new(),
            uploads: BTreeMap::new(),
            cancel: false,
            lost: false,
            newest_lease: 1,
            reports_of_newest_lease: 0,
            question: None,
            messages: Vec::new(),
            received: 0,
            fail_reports: 0,
            fail_results: 0,
            wrong: Vec::new(),
        };
        change(&mut task);
        known.tasks.insert(id, task);
        id
    }
}

fn refused(status: StatusCode, code: &str, detail: &str) -> Response {
    (status, Json(json!({"code": code, "detail": detail, "status": status.as_u16()}))).into_response()
}

/// A body of a known shape, or what is wrong with it.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

async fn register(State(plane): State<Plane>, body: Bytes) -> Response {
    let parsed =
        read::<NewRegistration>(&body).and_then(|new| AgentRegistration::parse(new).map_err(|error| error.to_string()));
    let mut known = plane.known();
    let registration = match parsed {
        Ok(registration) => registration,
        Err(why) => {
            known.wrong.push(format!("its registration: {why}"));
            return refused(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED", &why);
        }
    };
    if known.registered.as_ref().is_some_and(|earlier| earlier.name == registration.name) {
        return refused(StatusCode::CONFLICT, "ALREADY_EXISTS", "The name is taken.");
    }
    let (agent_id, secret) = (AgentId::new(), new_secret());
    let token = format!("token-of-{agent_id}");
    known.agent_id = agent_id.to_string();
    known.tokens = vec![token.clone()];
    known.secret.clone_from(&secret);
    let push = registration.endpoint_url.is_some();
    let mut made = json!({
        "agent_id": agent_id, "status": "registered", "auth_token": token, "heartbeat_interval_seconds": HEARTBEAT_INTERVAL,
        "delivery": if push { "push" } else { "pull" },
    });
    if push {
        made["signing_secret"] = json!(secret);
    }
    known.registered = Some(registration);
    (StatusCode::CREATED, Json(made)).into_response()
}

/// Records whether a call carries the token of the registration, for the registered agent.
fn is_let_in(known: &mut Known, headers: &HeaderMap, id: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sent = text("authorization").strip_prefix("Bearer ").unwrap_or(text("x-agent-token")).to_owned();
    let good = known.tokens.contains(&sent) && id == known.agent_id;
    if !good {
        known
            .wrong
            .push("a call carried another token than that of the registration, or another agent's id".to_owned());
    }
    good
}

fn stranger() -> Response {
    refused(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "The credential is not valid.")
}

async fn heartbeat(State(plane): State<Plane>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let mut known = plane.known();
    if !is_let_in(&mut known, &headers, &id) {
        return stranger();
    }
    match read::<NewHeartbeat>(&body)
        .and_then(|heartbeat| Heartbeat::parse(heartbeat).map_err(|error| error.to_string()))
    {
        Ok(_) => {
            known.heartbeats += 1;
            StatusCode::NO_CONTENT.into_response()
        }
        Err(why) => {
            known.wrong.push(format!("a heartbeat: {why}"));
            refused(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED", &why)
        }
    }
}

/// Adds a token. The earlier ones stay valid, because no trial lasts as long as their overlap.
async fn rotate(State(plane): State<Plane>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let mut known = plane.known();
    if !is_let_in(&mut known, &headers, &id) {
        return stranger();
    }
    let token = format!("token-{}-of-{id}", known.tokens.len() + 1);
    known.tokens.push(token.clone());
    Json(json!({"auth_token": token, "overlap_seconds": 600})).into_response()
}

async fn claim(State(plane): State<Plane>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !is_let_in(&mut plane.known(), &headers, &id) {
        return stranger();
    }
    for _ in 0..20 {
        let next = plane.known().tasks.values_mut().find(|task| !task.claimed).map(|task| {
            task.claimed = true;
            task.described.clone()
        });
        if let Some(task) = next {
            return Json(json!({"tasks": [task]})).into_response();
        }
        sleep(Duration::from_millis(50)).await;
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Passes a report or a result to its task.
fn of_task(
    plane: &Plane,
    (id, task): (&str, ExternalTaskId),
    headers: &HeaderMap,
    work: impl FnOnce(&mut Task) -> Response,
) -> Response {
    let mut known = plane.known();
    if !is_let_in(&mut known, headers, id) {
        return stranger();
    }
    match known.tasks.get_mut(&task) {
        Some(task) if task.lost => {
            refused(StatusCode::CONFLICT, "LEASE_LOST", "The task no longer belongs to this agent.")
        }
        Some(task) => work(task),
        None => refused(StatusCode::NOT_FOUND, "TASK_NOT_FOUND", "The task does not exist."),
    }
}

async fn progress(
    State(plane): State<Plane>,
    Path((id, task)): Path<(String, ExternalTaskId)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    of_task(&plane, (&id, task), &headers, |task| {
        if task.fail_reports > 0 {
            task.fail_reports -= 1;
            return refused(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "On purpose.");
        }
        match read::<NewProgress>(&body).and_then(|new| Progress::parse(new).map_err(|error| error.to_string())) {
            Ok(report) => Json(task.record(&report)).into_response(),
            Err(why) => {
                task.wrong.push(format!("a report: {why}"));
                refused(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED", &why)
            }
        }
    })
}

async fn artifact(
    State(plane): State<Plane>,
    Path((id, name, hash)): Path<(String, ExternalTaskId, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    of_task(&plane, (&id, name), &headers, |task| {
        if hex::encode(Sha256::digest(&body)) != hash {
            let why = "sha256 must be the SHA-256 of the body, in lower-case hexadecimal";
            task.wrong.push(format!("an upload: {why}"));
            return refused(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED", why);
        }
        let is_new = task.uploads.insert(hash, body).is_none();
        if is_new { StatusCode::CREATED } else { StatusCode::OK }.into_response()
    })
}

async fn result(
    State(plane): State<Plane>,
    Path((id, name)): Path<(String, ExternalTaskId)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    of_task(&plane, (&id, name), &headers, |task| {
        let parsed = read::<NewResult>(&body)
            .and_then(|new| TaskOutcome::parse(new, name).map_err(|error| error.to_string()))
            .and_then(|_| task.with_uploads(read(&body)?));
        let result = match parsed {
            Ok(result) => result,
            Err(why) => {
                task.wrong.push(format!("its result: {why}"));
                return refused(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED", &why);
            }
        };
        let again = !task.results.is_empty();
        task.results.push(result);
        if task.fail_results > 0 {
            // Stored nevertheless: the agent cannot know that.
            task.fail_results -= 1;
            return refused(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "On purpose.");
        }
        if again { StatusCode::OK } else { StatusCode::ACCEPTED }.into_response()
    })
}
