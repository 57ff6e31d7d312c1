//! `GET /sessions/{id}/artifacts` and one of them.

use harness::{
    Options, TestApp,
    ministack::{REGION, ministack},
};
use object_store::aws::AmazonS3Builder;
use serde_json::json;
use shared::{identity::auth::Role, platform::object_store::Files};

#[tokio::test]
async fn an_artifact_is_listed_with_its_hash_and_downloaded_unchanged() {
    let world = TestApp::new().await;
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

#[tokio::test]
async fn where_responses_are_buffered_a_large_artifact_is_fetched_from_its_store() {
    let bucket = AmazonS3Builder::new()
        .with_bucket_name(ministack().bucket().await)
        .with_endpoint(&ministack().endpoint)
        .with_allow_http(true)
        .with_region(REGION)
        .with_access_key_id("test")
        .with_secret_access_key("test");
    let files = Files::of_bucket(bucket.build().unwrap(), "artifacts");
    let mut options = Options { store: Some(files), ..Options::default() };
    options.settings.streams = false;
    let world = TestApp::idle(options).await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({})).await;
    for (size, status) in [(4_000_000, 200), (4_000_001, 307)] {
        let content = vec![b'x'; size];
        let hash = world.app.files.put_content(world.tenant.id, id.parse().unwrap(), content.clone()).await.unwrap();
        owner
            .run(&format!(
                "delete from session_artifacts;
                 insert into session_artifacts (tenant_id, session_id, id, path, mime_type, size, sha256, at)
                 values ('{}', '{id}', '{id}', 'made.bin', 'text/plain', {size}, '{hash}', now())",
                world.tenant.id
            ))
            .await;
        let reply = caller.get(&format!("/sessions/{id}/artifacts/{id}")).await;
        assert_eq!(reply.status, status);
        let fetched = if status == 200 {
            reply.bytes.to_vec()
        } else {
            let place = reply.headers["location"].to_str().unwrap();
            reqwest::get(place).await.unwrap().error_for_status().unwrap().bytes().await.unwrap().to_vec()
        };
        assert!(fetched == content, "{} bytes", fetched.len());
    }
}
