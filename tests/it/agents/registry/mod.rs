//! Managing the agents of a tenant.

mod create;
mod deregister;
mod list;
mod patch;
mod performance;

use harness::{Caller, TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::identity::auth::Role;

pub(super) const AGENTS: &str = "/api/v1/agents";

/// An id that nothing has.
pub(super) const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

/// An agent of the kind eap to be made.
pub(super) fn named(name: &str) -> Value {
    json!({"name": name, "agent_type": "implementer", "kind": "eap", "capabilities": ["code_generation", "testing"]})
}

/// Makes an agent, and answers its place.
pub(super) async fn place(caller: &Caller, name: &str) -> String {
    let made = caller.post(AGENTS, named(name)).await.expect(201);
    format!("{AGENTS}/{}", made["id"].as_str().unwrap())
}

/// The id at the end of a place.
pub(super) fn id(place: &str) -> &str {
    place.rsplit('/').next().unwrap()
}

/// A session of a caller that runs on an agent, as if it had come there by itself.
pub(super) async fn running_on(caller: &Caller, owner: &Superuser, agent: &str) -> String {
    let session = caller.new_session(json!({})).await;
    owner.place(&session, "running").await;
    owner
        .run(&format!("update sessions set agent_id = '{agent}', run_started_at = now() where id = '{session}'"))
        .await;
    session
}

/// A session of a caller that waits for an agent.
pub(super) async fn waiting_for(caller: &Caller, owner: &Superuser, agent: &str, named: Option<&str>) -> String {
    let session = caller.new_session(json!({})).await;
    owner.place(&session, "queued").await;
    let config = named.map_or_else(|| json!({}), |named| json!({"agent": named}));
    owner
        .run(&format!("update sessions set agent_id = '{agent}', agent_config = '{config}' where id = '{session}'"))
        .await;
    session
}

/// The values of a field in a list.
pub(super) fn all(list: &Value, field: &str) -> Vec<Value> {
    list["items"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
}

/// The audit entries about agents, newest first.
pub(super) async fn audited(world: &TestApp) -> Value {
    world.caller(Role::Lead).get("/api/v1/audit?object_kind=agent").await.expect(200)
}
