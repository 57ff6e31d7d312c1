//! Every verb in every state, against one table.

use harness::{Caller, TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::{identity::auth::Role, sessions::status::Status};

/// A command, with the status of its response and the session's state after it.
type Does = Option<(u16, &'static str)>;

struct Verb {
    method: &'static str,
    path: &'static str,
    body: Value,
    does: fn(&str) -> Does,
}

/// The tenant of these tests has no slot, so what could go on at once is queued.
fn verbs() -> Vec<Verb> {
    moves().into_iter().chain(reports_and_changes()).collect()
}

fn verb(method: &'static str, path: &'static str, body: Value, does: fn(&str) -> Option<(u16, &'static str)>) -> Verb {
    Verb { method, path, body, does }
}

/// The commands that move a session from state to state.
fn moves() -> Vec<Verb> {
    vec![
        verb("POST", "/start", Value::Null, |state| (state == "pending").then_some((202, "queued"))),
        verb("POST", "/unqueue", Value::Null, |state| (state == "queued").then_some((200, "pending"))),
        verb("POST", "/pause", json!({"reason": "lunch"}), |state| match state {
            "running" => Some((202, "running")),
            "degraded" => Some((202, "degraded")),
            _ => None,
        }),
        verb("POST", "/resume", Value::Null, |state| (state == "paused").then_some((202, "queued"))),
        verb("POST", "/cancel", Value::Null, |state| {
            matches!(state, "pending" | "queued" | "paused").then_some((200, "cancelled"))
        }),
        verb("POST", "/stop", json!({"reason": "enough"}), |state| match state {
            "running" => Some((202, "running")),
            "degraded" => Some((202, "degraded")),
            "paused" => Some((200, "stopped")),
            _ => None,
        }),
        verb("POST", "/retry", Value::Null, |state| {
            matches!(state, "failed" | "timeout" | "stopped").then_some((202, "queued"))
        }),
        verb("POST", "/retry", json!({"start": false}), |state| {
            matches!(state, "failed" | "timeout" | "stopped").then_some((202, "pending"))
        }),
        verb("POST", "/checkpoints/1/restore", Value::Null, |state| {
            matches!(state, "pending" | "queued" | "failed" | "timeout" | "stopped").then_some((202, "pending"))
        }),
    ]
}

/// Reports of a driver, messages, checkpoints, forks, changes and deletion.
fn reports_and_changes() -> Vec<Verb> {
    vec![
        verb("POST", "/complete", json!({"result": {"text": "done"}}), |state| {
            matches!(state, "running" | "degraded" | "paused").then_some((200, "completed"))
        }),
        verb("POST", "/fail", json!({"message": "It broke."}), |state| {
            matches!(state, "pending" | "queued" | "running" | "degraded" | "paused").then_some((200, "failed"))
        }),
        verb("POST", "/messages", json!({"text": "Look again."}), |state| {
            let same = Status::ALL.iter().find(|status| status.name() == state)?;
            (!same.is_over()).then_some((202, same.name()))
        }),
        verb("POST", "/checkpoints", json!({"note": "here"}), |state| {
            let same = Status::ALL.iter().find(|status| status.name() == state)?;
            (!same.is_over()).then_some((201, same.name()))
        }),
        verb("POST", "/fork", Value::Null, |state| Some((201, Status::parse(state)?.name()))),
        verb("PATCH", "", json!({"title": "Another title"}), |state| Some((200, Status::parse(state)?.name()))),
        verb("PATCH", "", json!({"max_duration_seconds": 120}), |state| {
            let same = Status::parse(state)?;
            (!same.is_over()).then_some((200, same.name()))
        }),
        verb("DELETE", "", Value::Null, |state| {
            (!matches!(state, "running" | "paused" | "degraded")).then_some((204, "gone"))
        }),
    ]
}

async fn rows_of(owner: &Superuser, id: &str) -> Vec<String> {
    let sql = format!(
        "select s::text from sessions s where id = '{id}'
         union all select e::text from session_events e where session_id = '{id}'
         union all select c::text from session_checkpoints c where session_id = '{id}'
         union all select m::text from session_messages m where session_id = '{id}' order by 1"
    );
    owner.texts(&sql).await
}

#[tokio::test]
async fn every_command_in_every_state_does_exactly_what_the_table_says() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    for verb in verbs() {
        for status in Status::ALL {
            let id = caller.new_session(json!({"agent_config": {"agent": "manual"}})).await;
            owner.place(&id, status.name()).await;
            check(&caller, &owner, &verb, status, &id).await;
        }
    }
}

async fn check(caller: &Caller, owner: &Superuser, verb: &Verb, status: Status, id: &str) {
    let what = format!("{} {} {} in {}", verb.method, verb.path, verb.body, status.name());
    let before = rows_of(owner, id).await;
    let body = (!verb.body.is_null()).then(|| verb.body.to_string().into_bytes());
    let reply = caller.send(verb.method, &format!("/sessions/{id}{}", verb.path), body).await;
    if let Some((code, after)) = (verb.does)(status.name()) {
        assert_eq!(reply.status.as_u16(), code, "{what}: {}", reply.json());
        if after == "gone" {
            caller.get(&format!("/sessions/{id}")).await.problem(404, "SESSION_NOT_FOUND");
            return;
        }
        let session = caller.session(id).await;
        assert_eq!(session["status"], after, "{what}");
        let wish = match verb.path {
            "/pause" => json!("pause"),
            "/stop" if after != "stopped" => json!("stop"),
            _ => Value::Null,
        };
        assert_eq!(session["pending_action"], wish, "{what}");
        if verb.path == "/fork" {
            assert_eq!(before, rows_of(owner, id).await, "{what}");
        }
        let allowed = Status::parse(after).unwrap().next();
        assert_eq!(session["allowed_transitions"], json!(allowed), "{what}");
    } else {
        let problem = reply.problem(409, "INVALID_TRANSITION");
        assert_eq!(problem["current"]["status"], status.name(), "{what}");
        assert_eq!(problem["current"]["allowed_transitions"], json!(status.next()), "{what}");
        let other = match (verb.path, status) {
            ("/cancel", Status::Running | Status::Degraded) => "/stop",
            ("/stop", Status::Pending | Status::Queued) => "/cancel",
            _ => "",
        };
        assert!(problem["detail"].as_str().unwrap().contains(other), "{what}: {problem}");
        assert_eq!(before, rows_of(owner, id).await, "{what}");
    }
}
