//! Secrets: set, listed, deleted, handed to the agent that holds a lease, and seen nowhere else.

mod hidden;
mod lease;
mod list;
mod put;

use harness::{Caller, Reply, eap_agent::EapAgent};
use serde_json::{Value, json};

pub(crate) const PATH: &str = "/api/v1/secrets";

async fn put(caller: &Caller, scope: &str, name: &str, body: Value) -> Reply {
    caller.send("PUT", &format!("{PATH}/{scope}/{name}"), Some(body.to_string().into_bytes())).await
}

/// Sets a plain secret.
async fn set(caller: &Caller, scope: &str, name: &str, value: &str) -> Value {
    put(caller, scope, name, json!({"value": value})).await.expect(200)
}

/// Asks for the secrets of a task under a lease.
async fn ask_for_secrets(agent: &EapAgent, task: &Value, lease_token: i64) -> Reply {
    let id = task["task_id"].as_str().expect("a task");
    let path = format!("/api/v1/agents/external/{}/tasks/{id}/secrets", agent.id);
    agent.caller.post(&path, json!({"lease_token": lease_token})).await
}
