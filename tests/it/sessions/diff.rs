//! `GET /sessions/{id}/diff`.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn a_diff_lists_each_changed_file_once_in_its_final_state() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let write = |path: &str, content: &str| json!({"do": "write", "path": path, "content": content});
    let id = caller.run_script(json!([write("b.rs", "old\n"), write("a.rs", "a\na\n"), write("b.rs", "new\n")])).await;
    caller.reaches(&id, &["completed"]).await;
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    let files: Vec<_> = diff["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["path"].as_str().unwrap(),
                file["status"].as_str().unwrap(),
                file["additions"].as_i64().unwrap(),
                file["deletions"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(files, [("a.rs", "added", 2, 0), ("b.rs", "added", 1, 0)]);
    let patch = diff["items"][1]["patch"].as_str().unwrap();
    assert!(patch.contains("+new") && !patch.contains("old"), "{patch}");
}

#[tokio::test]
async fn a_session_that_changed_nothing_has_an_empty_diff() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    for what in ["diff", "artifacts", "checkpoints"] {
        assert_eq!(
            caller.get(&format!("/sessions/{id}/{what}")).await.expect(200),
            json!({"items": [], "next_cursor": null})
        );
    }
}
