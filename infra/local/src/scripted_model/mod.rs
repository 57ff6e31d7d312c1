//! A model that plays the script which a prompt carries, for demonstrations and tests: a server that speaks OpenAI's
//! chat completions and responses, and Anthropic's messages.
//!
//! Somewhere in a prompt stands `@@STUB [step, step, ...] @@`; each turn of the model after that prompt plays the next
//! step. The forms of a step are those of [`Step`]. The tools `write` and `bash`, and tools of MCP servers, are called
//! by the names that the agent has for them, so that a script does the same with every agent. A prompt without a script
//! gets a small real change to its repository, so that the way of a session can be seen without a key.

mod answer;
mod chat;
mod conversation;
mod messages;
mod plan;
mod reply;
mod responses;
mod script;
mod tools;

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
use conversation::{Conversation, Protocol};
pub use script::{Call, Step};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

/// How many requests are remembered.
const REMEMBERED: usize = 1000;

/// In which header OpenCode, Claude Code and Codex name their session.
const SESSION_HEADERS: [&str; 3] = ["x-session-id", "x-claude-code-session-id", "session-id"];

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
    /// The base URL for OpenAI-compatible clients.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.root_url())
    }

    /// The base URL for clients of Anthropic's messages.
    pub fn root_url(&self) -> String {
        format!("http://{}", self.addr)
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
        let session = SESSION_HEADERS.iter().find_map(|name| headers.get(*name)).cloned().unwrap_or_default();
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
    let there_is = "there are GET /v1/models, and POST /v1/chat/completions, /v1/responses and /v1/messages";
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(complete_chat))
        .route("/v1/responses", post(respond))
        .route("/v1/messages", post(send_message))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .fallback(async move || refusal(StatusCode::NOT_FOUND, there_is))
        .layer(DefaultBodyLimit::disable())
        .with_state(memory)
}

async fn models() -> Json<Value> {
    Json(json!({"object": "list", "data": [{"id": "stub-1", "object": "model"}, {"id": "stub-2", "object": "model"}]}))
}

async fn count_tokens() -> Json<Value> {
    Json(json!({"input_tokens": answer::TOKENS.input}))
}

async fn complete_chat(State(memory): State<Arc<Memory>>, headers: HeaderMap, raw: Bytes) -> Response {
    answer(Protocol::Chat, &memory, &headers, raw).await
}

async fn respond(State(memory): State<Arc<Memory>>, headers: HeaderMap, raw: Bytes) -> Response {
    answer(Protocol::Responses, &memory, &headers, raw).await
}

async fn send_message(State(memory): State<Arc<Memory>>, headers: HeaderMap, raw: Bytes) -> Response {
    answer(Protocol::Messages, &memory, &headers, raw).await
}

async fn answer(protocol: Protocol, memory: &Memory, headers: &HeaderMap, raw: Bytes) -> Response {
    let body: Value = match serde_json::from_slice(&raw) {
        Ok(body) => body,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("the body is no JSON: {error}")),
    };
    let count = memory.remember(headers, raw, &body);
    let conversation = Conversation::read(protocol, &body);
    let step = match plan::step(&conversation) {
        Ok(step) => step,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("bad script: {error}")),
    };
    sleep(seconds(step.sleep)).await;
    match (step.status, step.times) {
        (None, _) => reply::reply(&conversation, &step),
        (Some(_), Some(times)) if count > times => {
            let then = step.then.map_or_else(|| Step::text("recovered"), |then| *then);
            reply::reply(&conversation, &then)
        }
        (Some(status), _) => failure(status, &step),
    }
}

/// The error that a step asks for.
fn failure(status: u16, step: &Step) -> Response {
    // Anthropic's form of an error is that of OpenAI with a type.
    let error = json!({"message": format!("stub error {status}"), "type": "stub_error", "code": status.to_string()});
    let default = || json!({"type": "error", "error": error});
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
    let error = json!({"message": format!("scripted model: {message}"), "type": "stub_error"});
    (status, Json(json!({"type": "error", "error": error}))).into_response()
}

fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or_default()
}
