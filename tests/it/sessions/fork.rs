//! `POST /sessions/{id}/fork`.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn a_fork_continues_from_the_checkpoint_and_leaves_the_source_unchanged() {
    let world = TestApp::new().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let script = json!([
        {"do": "write", "path": "a.rs", "content": "a"},
        {"do": "spend", "tokens_output": 10},
        {"do": "wait", "ms": 300},
        {"do": "write", "path": "b.rs", "content": "b"},
    ]);
    let fields = json!({"tags": ["x"], "priority": "high", "agent_config": {"agent": "scripted", "script": script}});
    let source = caller.start_session(fields).await;
    caller.reaches(&source, &["completed"]).await;
    let rows = format!(
        "select s::text from sessions s where id = '{source}' union all select e::text from session_events e where session_id = '{source}' order by 1"
    );
    let before = owner.texts(&rows).await;
    let reply = caller.post(&format!("/sessions/{source}/fork"), json!({"checkpoint": 2})).await;
    assert!(reply.headers.contains_key("location") && reply.headers.contains_key("etag"));
    let fork = reply.expect(201);
    assert_eq!(fork["forked_from"], json!({"session_id": source, "checkpoint": 2}));
    assert_eq!(
        (&fork["status"], &fork["parent_id"], &fork["retry_count"]),
        (&json!("pending"), &json!(null), &json!(0))
    );
    assert_eq!((&fork["tags"], &fork["priority"]), (&json!(["x"]), &json!("high")));
    let id = fork["id"].as_str().unwrap();
    assert_eq!(fork["root_id"], id);
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    caller.reaches(id, &["completed"]).await;
    let events = caller.events(id).await;
    let written: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "session.file_changed")
        .map(|event| &event["payload"]["path"])
        .collect();
    assert_eq!(written, ["b.rs"]);
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!(diff["items"].as_array().unwrap().len(), 2, "the work of both stands");
    assert_eq!(owner.texts(&rows).await, before);
}

#[tokio::test]
async fn a_fork_without_a_number_starts_from_the_newest_checkpoint_or_the_beginning() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let source = caller.new_session(json!({})).await;
    let fork = caller.act(&format!("/sessions/{source}/fork")).await.expect(201);
    assert_eq!(fork["forked_from"], json!({"session_id": source, "checkpoint": null}));
    for _ in 0..2 {
        caller.act(&format!("/sessions/{source}/checkpoints")).await.expect(201);
    }
    let fork = caller.act(&format!("/sessions/{source}/fork")).await.expect(201);
    assert_eq!(fork["forked_from"]["checkpoint"], 2);
    assert_eq!(caller.events(fork["id"].as_str().unwrap()).await[0]["payload"]["forked_from"]["session_id"], source);
}

#[tokio::test]
async fn a_fork_of_a_fork_that_never_ran_continues_from_the_same_checkpoint() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let source = caller.run_script(json!([{"do": "write", "path": "a.rs", "content": "a"}])).await;
    caller.reaches(&source, &["completed"]).await;
    let first = caller.act(&format!("/sessions/{source}/fork")).await.expect(201);
    let second = caller.act(&format!("/sessions/{}/fork", first["id"].as_str().unwrap())).await.expect(201);
    let id = second["id"].as_str().unwrap();
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    caller.reaches(id, &["completed"]).await;
    let events = caller.events(id).await;
    assert!(!events.iter().any(|event| event["type"] == "session.file_changed"), "all of it was done before");
}
