//! A stateful server with OpenAI's API for files and fine-tuning jobs: it stores uploads, advances jobs when the test
//! says so, and refuses what the API refuses. Written from the API's reference, because no maintained server has
//! fine-tuning.

mod files;
mod jobs;

use std::sync::{Arc, Mutex, MutexGuard};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::faults::{Faults, happen};

/// The key that it takes.
pub const KEY: &str = "sk-of-the-tests-0123456789";

/// The base models that it knows.
const MODELS: [&str; 2] = ["gpt-4o-mini-2024-07-18", "gpt-4.1-nano-2025-04-14"];

/// A file as it was uploaded.
#[derive(Clone, Debug)]
pub struct Uploaded {
    pub id: String,
    pub name: String,
    pub content: Vec<u8>,
    created_at: i64,
}

/// A job as it stands.
#[derive(Clone, Debug)]
pub struct Tuned {
    pub id: String,
    /// The body of its creation.
    pub body: Value,
    pub status: String,
    error: Value,
    created_at: i64,
    events: Vec<Value>,
    checkpoints: Vec<Value>,
}

#[derive(Default)]
struct Kept {
    files: Vec<Uploaded>,
    jobs: Vec<Tuned>,
    ids: u64,
    /// Whether it keeps metadata of jobs; others that speak this API do not.
    forgets_metadata: bool,
}

impl Kept {
    fn id(&mut self, kind: &str) -> String {
        self.ids += 1;
        format!("{kind}-{:06}", self.ids)
    }
}

type Shared = Arc<Mutex<Kept>>;

/// A running server.
pub struct OpenAiServer {
    /// The base URL of a connection.
    pub base_url: String,
    /// `host:port`, for who allows calls to it.
    pub place: String,
    pub faults: Faults,
    kept: Shared,
    _server: JoinSet<()>,
}

impl OpenAiServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let place = listener.local_addr().expect("its address").to_string();
        let (kept, faults) = (Shared::default(), Faults::default());
        let routes = Router::new()
            .route("/v1/models/{id}", get(model))
            .route("/v1/files", get(files::list).post(files::upload))
            .route("/v1/fine_tuning/jobs", get(jobs::list).post(jobs::create))
            .route("/v1/fine_tuning/jobs/{id}", get(jobs::retrieve))
            .route("/v1/fine_tuning/jobs/{id}/cancel", post(jobs::cancel))
            .route("/v1/fine_tuning/jobs/{id}/events", get(jobs::events))
            .route("/v1/fine_tuning/jobs/{id}/checkpoints", get(jobs::checkpoints))
            .with_state(kept.clone())
            .layer(middleware::from_fn(authorised))
            .layer(middleware::from_fn_with_state(faults.clone(), happen));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { base_url: format!("http://{place}/v1"), place, faults, kept, _server: server }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nobody panics with it")
    }

    pub fn files(&self) -> Vec<Uploaded> {
        self.kept().files.clone()
    }

    pub fn jobs(&self) -> Vec<Tuned> {
        self.kept().jobs.clone()
    }

    /// From now on jobs have no metadata.
    pub fn forget_metadata(&self) {
        self.kept().forgets_metadata = true;
    }

    /// As if there had never been any.
    pub fn forget_jobs(&self) {
        self.kept().jobs.clear();
    }

    /// Puts jobs of others in front of those that are there.
    pub fn fill_with_others(&self, count: usize) {
        let mut kept = self.kept();
        for _ in 0..count {
            let id = kept.id("ftjob");
            kept.jobs.push(Tuned::new(id, json!({"model": MODELS[0], "training_file": "file-of-others"})));
        }
    }

    /// Makes a job once more, as somebody who had the same order at the same time.
    pub fn double(&self, id: &str) -> String {
        let mut kept = self.kept();
        let body = kept.jobs.iter().find(|job| job.id == id).expect("there is one").body.clone();
        let id = kept.id("ftjob");
        kept.jobs.push(Tuned::new(id.clone(), body));
        id
    }

    /// Trains a job for these steps of ten.
    pub fn train(&self, id: &str, steps: std::ops::Range<i64>) {
        let mut kept = self.kept();
        for step in steps {
            let event = kept.id("ftevent");
            kept.job(id).step(&event, step);
        }
    }

    pub fn succeed(&self, id: &str) {
        let mut kept = self.kept();
        let event = kept.id("ftevent");
        kept.job(id).succeed(&event);
    }

    pub fn fail(&self, id: &str, code: &str, message: &str) {
        let mut kept = self.kept();
        let job = kept.job(id);
        "failed".clone_into(&mut job.status);
        job.error = json!({"code": code, "message": message, "param": null});
    }
}

async fn model(axum::extract::Path(id): axum::extract::Path<String>) -> Response {
    if MODELS.contains(&id.as_str()) {
        return Json(json!({"id": id, "object": "model"})).into_response();
    }
    refusal(StatusCode::NOT_FOUND, "model_not_found", &format!("The model '{id}' does not exist"))
}

async fn authorised(request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.and_then(|given| given.strip_prefix("Bearer ")) == Some(KEY) {
        return next.run(request).await;
    }
    refusal(StatusCode::UNAUTHORIZED, "invalid_api_key", "Incorrect API key provided.")
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": code});
    (status, Json(json!({"error": error}))).into_response()
}

fn unknown() -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", "No such object.")
}

/// A page of a list, newest first.
fn page(all: impl DoubleEndedIterator<Item = Value>, query: &Paging) -> Response {
    let newest = all.rev().skip_while(|one| query.after.as_ref().is_some_and(|after| one["id"] != json!(after)));
    let mut rest = newest.skip(usize::from(query.after.is_some()));
    let data: Vec<Value> = rest.by_ref().take(query.limit.unwrap_or(20)).collect();
    let has_more = rest.next().is_some();
    Json(json!({"object": "list", "data": data, "has_more": has_more})).into_response()
}

#[derive(serde::Deserialize)]
struct Paging {
    after: Option<String>,
    limit: Option<usize>,
}

fn now() -> i64 {
    shared::kernel::clock::Clock::System.now().timestamp()
}

type Held = State<Shared>;
