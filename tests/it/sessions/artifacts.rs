//! `GET /sessions/{id}/artifacts` and one of them.

use harness::World;
use serde_json::json;
use shared::auth::Role;

#[tokio::test]
async fn an_artifact_is_listed_with_its_hash_and_downloaded_as_it_was_made() {
    let world = World::new().await;
    let caller = world.caller(Role::Member);
    let id =
        caller.run_script(json!([{"do": "write", "path": "src/a b\".html", "content": "<script>ä</script>"}])).await;
    caller.reaches(&id, &["completed"]).await;
    let list = caller.get(&format!("/sessions/{id}/artifacts")).await.expect(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!(
        items.iter().map(|one| one["path"].as_str().unwrap()).collect::<Vec<_>>(),
        ["changes.patch", "src/a b\".html"]
    );
    let made = &items[1];
    assert_eq!((&made["size"], &made["mime_type"]), (&json!(19), &json!("text/plain")));
    let reply = caller.get(&format!("/sessions/{id}/artifacts/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.bytes, "<script>ä</script>".as_bytes());
    assert_eq!(reply.headers["content-type"], "text/plain");
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
    assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"src_a_b_.html\"");
    let events = caller.events(&id).await;
    assert!(
        events.iter().any(|event| event["type"] == "session.artifact" && event["payload"]["sha256"] == made["sha256"])
    );
    let other = caller.new_session(json!({})).await;
    let elsewhere = format!("/sessions/{other}/artifacts/{}", made["id"].as_str().unwrap());
    caller.get(&elsewhere).await.problem(404, "ARTIFACT_NOT_FOUND");
}
