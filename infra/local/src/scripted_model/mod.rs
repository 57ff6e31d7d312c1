//! A model that plays the script which a prompt carries: an OpenAI-compatible server for demonstrations and tests.
//!
//! Somewhere in a prompt stands `@@STUB [step, step, ...] @@`; each turn of the model after that prompt plays the next
//! step. The forms of a step are those of [`Step`]. A prompt without a script gets a small real change to its
//! repository, so that the way of a session can be seen without a key.

mod plan;
mod reply;
mod script;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
pub use script::{Call, Step};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

/// How many requests are remembered.
const REMEMBERED: usize = 1000;

/// A request as the model got it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Header names in lower case; OpenCode names its session in `x-session-id`.
    pub headers: HashMap<String, String>,
    pub body: Value,
    /// How often the same session has sent the same body, this time included: more than once means a retry.
    pub count: u32,
}

/// A running scripted model. It stops when this is dropped.
#[derive(Debug)]
pub struct ScriptedModel {
    pub addr: SocketAddr,
    memory: Arc<Memory>,
    _serving: JoinSet<()>,
}

impl ScriptedModel {
    /// What an OpenAI-compatible client takes as its base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The latest requests, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.memory.requests.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Serves the model, such as on `127.0.0.1:0`.
pub async fn serve(addr: impl tokio::net::ToSocketAddrs) -> Result<ScriptedModel> {
    let listener = TcpListener::bind(addr).await.context("the scripted model has no port to listen on")?;
    let addr = listener.local_addr()?;
    let memory = Arc::<Memory>::default();
    let router = router(memory.clone());
    let mut serving = JoinSet::new();
    serving.spawn(async move { _ = axum::serve(listener, router).await });
    Ok(ScriptedModel { addr, memory, _serving: serving })
}

#[derive(Debug, Default)]
struct Memory {
    requests: Mutex<VecDeque<Request>>,
    counts: Mutex<HashMap<(String, Bytes), u32>>,
}

impl Memory {
    fn remember(&self, headers: &HeaderMap, raw: Bytes, body: &Value) -> u32 {
        let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: HashMap<_, _> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let session = headers.get("x-session-id").cloned().unwrap_or_default();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() > REMEMBERED {
            counts.clear();
        }
        let count = counts.entry((session, raw)).and_modify(|count| *count += 1).or_insert(1);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push_back(Request { headers, body: body.clone(), count: *count });
        if requests.len() > REMEMBERED {
            requests.pop_front();
        }
        *count
    }
}

fn router(memory: Arc<Memory>) -> Router {
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(complete))
        .fallback(async || refusal(StatusCode::NOT_FOUND, "there is only POST /v1/chat/completions and GET /v1/models"))
        .layer(DefaultBodyLimit::disable())
        .with_state(memory)
}

async fn models() -> Json<Value> {
    Json(json!({"object": "list", "data": [{"id": "stub-1", "object": "model"}, {"id": "stub-2", "object": "model"}]}))
}

async fn complete(State(memory): State<Arc<Memory>>, headers: HeaderMap, raw: Bytes) -> Response {
    let body: Value = match serde_json::from_slice(&raw) {
        Ok(body) => body,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("the body is no JSON: {error}")),
    };
    let count = memory.remember(&headers, raw, &body);
    let step = match plan::step(&body) {
        Ok(step) => step,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("bad script: {error}")),
    };
    sleep(seconds(step.sleep)).await;
    match (step.status, step.times) {
        (None, _) => reply::reply(&body, step),
        (Some(_), Some(times)) if count > times => {
            let then = step.then.map_or_else(|| Step::text("recovered"), |then| *then);
            reply::reply(&body, then)
        }
        (Some(status), _) => failure(status, &step),
    }
}

/// The error that a step asks for.
fn failure(status: u16, step: &Step) -> Response {
    let default = || json!({"error": {"message": format!("stub error {status}"), "type": "stub_error", "code": status.to_string()}});
    let body = step.body.clone().unwrap_or_else(default);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(body)).into_response();
    for (name, value) in &step.headers {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let (Ok(name), Ok(value)) = (name.parse::<axum::http::HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn refusal(status: StatusCode, message: &str) -> Response {
    let error = json!({"error": {"message": format!("scripted model: {message}"), "type": "stub_error"}});
    (status, Json(error)).into_response()
}

fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or_default()
}
