//! An external agent that is pushed to (docs/external-agent-protocol.md): it registers, beats its heart, takes signed
//! tasks on `/task`, and calls back. It understands `Add the file <path>: <text>` and `Wait <n> seconds` in a prompt, works
//! in a clone of the task's repository or directory, and returns its commit as a patch.
//!
//!     IOC_URL=http://127.0.0.1:8000 IOC_KEY=ioc_... IOC_TENANT=demo AGENT_ENDPOINT=https://me.example.com AGENT_LISTEN=0.0.0.0:9000 push-agent

mod control;
mod work;

use std::{
    collections::HashMap,
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

/// The tasks that this agent has, each with what calls it off and the newest lease.
type Tasks = Mutex<HashMap<String, Arc<work::Running>>>;

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
    let (control, made) =
        Control::register(&variable("IOC_URL")?, &variable("IOC_KEY")?, &variable("IOC_TENANT")?, &name, &endpoint)
            .await?;
    let secret = made["signing_secret"].as_str().context("no secret to check pushes with")?.into();
    let agent = Agent { control: Arc::new(control), secret, tasks: Arc::default(), tracker: TaskTracker::new() };
    let interval = Duration::from_secs_f64(made["heartbeat_interval_seconds"].as_f64().unwrap_or(30.0));
    let routes = Router::new().route("/{verb}", post(pushed)).with_state(agent.clone());
    tokio::select! {
        served = axum::serve(listener, routes) => Ok(served?),
        () = beat(&agent, interval) => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "an example reads its few settings where it begins")]
fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set"))
}

async fn beat(agent: &Agent, interval: Duration) {
    loop {
        let busy = agent.tracker.len();
        let body = json!({"status": "healthy", "current_load": u8::from(busy > 0), "tasks_in_progress": busy});
        agent.control.call("/heartbeat", &body).await;
        tokio::time::sleep(interval).await;
    }
}

/// `/task`, `/cancel` and `/message`. What is not signed with our secret, or long ago, is refused.
async fn pushed(State(agent): State<Agent>, Path(verb): Path<String>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !is_signed(&agent.secret, &headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let id = body["task_id"].as_str().unwrap_or_default().to_owned();
    let mut tasks = agent.tasks.lock().unwrap_or_else(PoisonError::into_inner);
    match (verb.as_str(), tasks.get(&id)) {
        // It is known by its id: pushed again, it goes on under the newer lease.
        ("task", Some(running)) => running.renew(&body),
        ("task", None) => {
            let running = Arc::new(work::Running::new(body, CancellationToken::new()));
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

/// Standard Webhooks: HMAC-SHA256 over id, time and body, and the time not long ago.
fn is_signed(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
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
