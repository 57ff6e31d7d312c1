//! Checkpoints: those that come by themselves, those on request, and going back to one.

use harness::{Caller, TestApp};
use serde_json::{Value, json};
use shared::identity::auth::Role;

async fn list(caller: &Caller, id: &str) -> Vec<Value> {
    caller.get(&format!("/sessions/{id}/checkpoints")).await.expect(200)["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_checkpoint_is_taken_at_handover_after_changed_files_and_at_the_end() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller
        .run_script(json!([
            {"do": "write", "path": "a.rs", "content": "a\n"},
            {"do": "spend", "tokens_output": 7, "cost_micros": 5},
            {"do": "wait", "ms": 300},
            {"do": "write", "path": "b.rs", "content": "b\n"},
            {"do": "wait", "ms": 300},
        ]))
        .await;
    let done = caller.reaches(&id, &["completed"]).await;
    let all = list(&caller, &id).await;
    let causes: Vec<_> = all.iter().rev().map(|one| one["cause"].as_str().unwrap()).collect();
    assert_eq!(causes, ["dispatch", "turn", "turn", "turn"]);
    for (at, one) in all.iter().rev().enumerate() {
        assert_eq!(one["sequence"], at + 1);
        assert_eq!(one["patch_bytes"].as_i64().unwrap() > 0, at > 0, "{one}");
    }
    assert_eq!((&all[0]["tokens"], &all[0]["cost_usd"]), (&json!(7), &json!("0.000005")));
    assert_eq!(done["checkpoint_count"], 4);
    let events = caller.events(&id).await;
    let reported: Vec<_> = events.iter().filter(|event| event["type"] == "session.checkpoint_created").collect();
    assert_eq!(reported.len(), 4);
    for (one, event) in all.iter().rev().zip(reported) {
        assert_eq!((&event["payload"]["sequence"], &event["seq"]), (&one["sequence"], &one["event_seq"]));
    }
}

#[tokio::test]
async fn a_requested_checkpoint_keeps_its_data_and_note() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let taken = caller
        .post(&format!("/sessions/{id}/checkpoints"), json!({"data": {"step": 3}, "note": "Before the risky part"}))
        .await
        .expect(201);
    assert_eq!((&taken["sequence"], &taken["cause"]), (&json!(1), &json!("manual")));
    assert_eq!((&taken["data"]["step"], &taken["note"]), (&json!(3), &json!("Before the risky part")));
    assert_eq!(taken["actor"]["name"], "member");
    let bare = caller.act(&format!("/sessions/{id}/checkpoints")).await.expect(201);
    assert_eq!(list(&caller, &id).await, [bare, taken]);
}

#[tokio::test]
async fn the_newest_hundred_checkpoints_are_kept_and_numbering_continues() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    for _ in 0..103 {
        caller.act(&format!("/sessions/{id}/checkpoints")).await.expect(201);
    }
    let sequences: Vec<_> = list(&caller, &id).await.iter().map(|one| one["sequence"].as_i64().unwrap()).collect();
    assert_eq!(sequences, (4..=103).rev().collect::<Vec<_>>());
    assert_eq!(caller.session(&id).await["checkpoint_count"], 100);
    caller.act(&format!("/sessions/{id}/checkpoints/3/restore")).await.problem(404, "CHECKPOINT_NOT_FOUND");
    caller.act(&format!("/sessions/{id}/checkpoints/4/restore")).await.expect(202);
}

#[tokio::test]
async fn concurrent_checkpoint_requests_get_distinct_numbers() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let path = format!("/sessions/{id}/checkpoints");
    let replies = futures_util::future::join_all((0..10).map(|_| caller.act(&path))).await;
    let mut sequences: Vec<_> =
        replies.into_iter().map(|reply| reply.expect(201)["sequence"].as_i64().unwrap()).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=10).collect::<Vec<_>>());
    assert_eq!(caller.events(&id).await.len(), 11);
}

#[tokio::test]
async fn a_restored_session_continues_from_its_checkpoint() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let script = json!([
        {"do": "write", "path": "a.rs", "content": "a"},
        {"do": "wait", "ms": 300},
        {"do": "write", "path": "b.rs", "content": "b"},
        {"do": "fail", "category": "agent", "message": "It broke."},
        {"do": "say", "text": "Done."},
    ]);
    let id = caller.run_script(script).await;
    caller.reaches(&id, &["failed"]).await;
    let all = list(&caller, &id).await;
    assert_eq!(
        all.iter().rev().map(|one| one["cause"].as_str().unwrap()).collect::<Vec<_>>(),
        ["dispatch", "turn", "turn", "stop"]
    );
    let back = caller.act(&format!("/sessions/{id}/checkpoints/2/restore")).await.expect(202);
    assert_eq!((&back["status"], &back["retry_count"]), (&json!("pending"), &json!(1)));
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    caller.reaches(&id, &["failed"]).await;
    let events = caller.events(&id).await;
    let written: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "session.file_changed")
        .map(|event| &event["payload"]["path"])
        .collect();
    assert_eq!(
        written,
        ["a.rs", "b.rs", "b.rs"],
        "what came after the checkpoint is done again, what came before is not"
    );
}

#[tokio::test]
async fn the_largest_and_smallest_numbers_are_read_back_unchanged() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let numbers = json!({"largest": f64::MAX, "least": f64::MIN, "smallest": f64::from_bits(1), "third": 0.1 + 0.2});
    let id = caller.new_session(json!({"metadata": numbers})).await;
    let taken = caller.post(&format!("/sessions/{id}/checkpoints"), json!({"data": numbers})).await.expect(201);
    assert_eq!(taken["data"], numbers);
    let kept = caller.get(&format!("/sessions/{id}/checkpoints")).await.expect(200);
    assert_eq!(kept["items"][0]["data"], numbers);
    assert_eq!(caller.session(&id).await["metadata"], numbers);
    assert_eq!(caller.get("/sessions").await.expect(200)["items"][0]["metadata"], numbers);
}
