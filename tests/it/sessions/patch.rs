//! `PATCH /sessions/{id}`: what a person may change, and on which version.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

#[tokio::test]
async fn each_changeable_field_is_changed_and_recorded_as_an_event() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({"description": "old"})).await;
    let path = format!("/sessions/{id}");
    let steps = [
        ("title", json!("Another title")),
        ("description", json!("new")),
        ("description", Value::Null),
        ("priority", json!("high")),
        ("tags", json!(["a"])),
        ("metadata", json!({"k": [1, {"l": null}]})),
        ("max_duration_seconds", json!(60)),
    ];
    for (at, (field, value)) in steps.iter().enumerate() {
        let changed = caller.patch(&path, json!({*field: value})).await.expect(200);
        assert_eq!(&changed[*field], value);
        assert_eq!(changed["version"], at + 2);
        let events = caller.events(&id).await;
        let last = events.last().unwrap();
        assert_eq!(last["type"], "session.updated");
        assert_eq!(last["payload"], json!({"changed": {*field: value}}));
        assert_eq!(last["actor"]["id"], world.tenant.key_id(Role::Member).to_string());
    }
    let before = caller.session(&id).await;
    assert_eq!(caller.patch(&path, json!({})).await.expect(200), before, "nothing sent, nothing changed");
}

#[tokio::test]
async fn changed_fields_keep_their_limits_and_other_fields_are_read_only() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({})).await;
    let path = format!("/sessions/{id}");
    let before = owner.dump().await;
    for (body, field) in [
        (json!({"title": ""}), "title"),
        (json!({"title": "x".repeat(201)}), "title"),
        (json!({"title": "Untitled"}), "title"),
        (json!({"title": 7}), "title"),
        (json!({"description": "x".repeat(1001)}), "description"),
        (json!({"priority": "urgent"}), "priority"),
        (json!({"tags": ["a", "x".repeat(51)]}), "tags"),
        (json!({"metadata": {"k": "x".repeat(16 * 1024)}}), "metadata"),
        (json!({"max_duration_seconds": 59}), "max_duration_seconds"),
        (json!({"max_duration_seconds": 86_401}), "max_duration_seconds"),
        (json!({"status": "running"}), "status"),
        (json!({"tenant_id": id}), "tenant_id"),
        (json!({"parent_id": null}), "parent_id"),
        (json!({"initial_prompt": "x"}), "initial_prompt"),
        (json!({"workspace": null}), "workspace"),
    ] {
        let problem = caller.patch(&path, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_change_based_on_another_version_is_refused() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({})).await;
    let path = format!("/sessions/{id}");
    let before = owner.dump().await;
    for stale in ["\"2\"", "\"0\"", "7", "\"x\"", ""] {
        let problem = caller.with("if-match", stale).patch(&path, json!({"tags": ["a"]})).await;
        problem.problem(412, "VERSION_MISMATCH");
    }
    assert_eq!(owner.dump().await, before);
    for (at, fresh) in ["\"1\"", "W/\"2\"", "*"].into_iter().enumerate() {
        let reply = caller.with("if-match", fresh).patch(&path, json!({"tags": [fresh]})).await;
        assert_eq!(reply.headers["etag"], format!("\"{}\"", at + 2));
        reply.expect(200);
    }
}

#[tokio::test]
async fn only_one_of_two_concurrent_changes_of_a_version_succeeds() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member).with("if-match", "\"1\"");
    let id = caller.new_session(json!({})).await;
    let path = format!("/sessions/{id}");
    let changes = (0..8).map(|n| caller.patch(&path, json!({"tags": [n.to_string()]}))).collect::<Vec<_>>();
    let replies = futures_util::future::join_all(changes).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.code() == "VERSION_MISMATCH").count(), 7);
}
