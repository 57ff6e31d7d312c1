//! An external agent that receives its work by push (docs/external-agent-protocol.md): it registers, sends heartbeats,
//! accepts signed tasks on `/task`, and reports back. It understands three kinds of lines in a prompt,
//! `Add the file <path>: <text>`, `Wait <n> seconds` and `Ask the question "<text>" and write the answer into the file
//! <path>`. It works in a clone of the task's repository or directory, and returns its commit as a patch.
//!
//! With `AGENT_STATE`, the path of a file, it keeps its token there and is the same agent after a restart.
//!
//!     IOC_URL=http://127.0.0.1:8000 IOC_KEY=ioc_... IOC_TENANT=demo AGENT_ENDPOINT=https://me.example.com
//!     AGENT_LISTEN=0.0.0.0:9000 push-agent

mod control;
mod work;

use std::{
    collections::HashMap,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::control::Control;

/// The agent's tasks by id, each with its cancellation and its newest lease.
type Tasks = Mutex<HashMap<String, Arc<work::RunningTask>>>;

#[derive(Clone)]
struct Agent {
    control: Arc<Control>,
    secret: Arc<str>,
    tasks: Arc<Tasks>,
    tracker: TaskTracker,
}

#[tokio::main]
async fn main() -> Result<()> {
    let listener = tokio::net::TcpListener::bind(variable("AGENT_LISTEN")?).await?;
    let endpoint = variable("AGENT_ENDPOINT").unwrap_or(format!("http://{}", listener.local_addr()?));
    let name = variable("AGENT_NAME").unwrap_or("RUST-EXAMPLE".to_owned());
    let url = variable("IOC_URL")?;
    let registration = match stored_registration() {
        Some(registration) => registration,
        None => Control::register(&url, &variable("IOC_KEY")?, &variable("IOC_TENANT")?, &name, &endpoint).await?,
    };
    store(&registration)?;
    let control = Control::new(&url, &registration)?;
    let secret = registration["signing_secret"].as_str().context("the response contains no signing secret")?.into();
    let agent = Agent { control: Arc::new(control), secret, tasks: Arc::default(), tracker: TaskTracker::new() };
    let interval = Duration::from_secs_f64(registration["heartbeat_interval_seconds"].as_f64().unwrap_or(30.0));
    let routes = Router::new().route("/{verb}", post(receive_push)).with_state(agent.clone());
    tokio::select! {
        served = axum::serve(listener, routes) => Ok(served?),
        () = send_heartbeats(&agent, interval) => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "an example reads its few settings in one place")]
fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set"))
}

/// The registration of an earlier start.
fn stored_registration() -> Option<Value> {
    serde_json::from_slice(&std::fs::read(variable("AGENT_STATE").ok()?).ok()?).ok()
}

/// Stores the registration for the next start, readable by its owner only.
fn store(registration: &Value) -> Result<()> {
    let Ok(path) = variable("AGENT_STATE") else { return Ok(()) };
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(&serde_json::to_vec(registration)?)?)
}

async fn send_heartbeats(agent: &Agent, interval: Duration) {
    loop {
        let busy = agent.tracker.len();
        let body = json!({"status": "healthy", "current_load": u8::from(busy > 0), "tasks_in_progress": busy});
        agent.control.post("/heartbeat", &body).await;
        tokio::time::sleep(interval).await;
    }
}

/// Handles `/task`, `/cancel` and `/message`. Refuses requests without a valid and recent signature.
async fn receive_push(
    State(agent): State<Agent>,
    Path(verb): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if !has_valid_signature(&agent.secret, &headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let id = body["task_id"].as_str().unwrap_or_default().to_owned();
    let mut tasks = agent.tasks.lock().unwrap_or_else(PoisonError::into_inner);
    match (verb.as_str(), tasks.get(&id)) {
        // The agent already has this task: it continues under the newer lease.
        ("task", Some(running)) => running.renew(&body),
        ("task", None) => {
            let running = Arc::new(work::RunningTask::new(body, CancellationToken::new()));
            tasks.insert(id, running.clone());
            let control = agent.control.clone();
            agent.tracker.spawn(async move { work::run(&control, &running).await });
        }
        ("cancel", Some(running)) => running.cancelled.cancel(),
        ("cancel" | "message", _) => {}
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::ACCEPTED
}

/// Whether a request has a Standard Webhooks signature (HMAC-SHA256 over id, timestamp and body) that is at most 300 s
/// old.
fn has_valid_signature(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, at) = (text("webhook-id"), text("webhook-timestamp"));
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    if at.parse::<u64>().is_ok_and(|at| at.abs_diff(now) > 300) {
        return false;
    }
    let Ok(key) = STANDARD.decode(secret.trim_start_matches("whsec_")) else { return false };
    text("webhook-signature").split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok()).any(|sent| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return false };
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(body);
        mac.verify_slice(&sent).is_ok()
    })
}
