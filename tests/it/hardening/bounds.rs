//! How large a request may be, and how long it may take.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::Request,
};
use futures_util::{StreamExt, stream};
use harness::{Options, TestApp};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shared::identity::auth::Role;
use tower::ServiceExt;

#[tokio::test]
async fn headers_of_more_than_32_kib_in_all_are_too_large() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Viewer);
    caller.with("x-filling", &"x".repeat(31 * 1024)).get("/sessions").await.expect(200);
    caller.with("x-filling", &"x".repeat(32 * 1024)).get("/sessions").await.problem(431, "HEADERS_TOO_LARGE");
    let many = (0..40).fold(caller.clone(), |caller, n| caller.with(&format!("x-{n}"), &"x".repeat(1024)));
    many.get("/sessions").await.problem(431, "HEADERS_TOO_LARGE");
    many.get("/health").await.problem(431, "HEADERS_TOO_LARGE");
}

#[tokio::test]
async fn a_path_and_query_of_more_than_8_kib_are_too_long() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Viewer);
    caller.get(&format!("/sessions?q={}", "x".repeat(8 * 1024))).await.problem(414, "URI_TOO_LONG");
    caller.get(&format!("/sessions/{}", "x".repeat(8 * 1024))).await.problem(414, "URI_TOO_LONG");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_aborted_and_leaves_nothing_behind() {
    let mut options = Options::default();
    options.settings.request_time = Duration::from_millis(500);
    let world = TestApp::idle(options).await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let owner = world.superuser().await;
    let before = owner.dump().await;
    owner.run("begin; lock table session_events in exclusive mode").await;
    let path = format!("/sessions/{id}");
    for caller in [caller.clone(), caller.with("idempotency-key", "one")] {
        let problem = caller.patch(&path, json!({"title": "Another title"})).await.problem(503, "REQUEST_TIMED_OUT");
        assert_eq!(problem["retryable"], true);
    }
    owner.run("rollback").await;
    let caller = world.caller(Role::Member).with("idempotency-key", "one");
    assert_eq!(owner.dump().await, before);
    harness::until(async || caller.patch(&path, json!({"title": "Another title"})).await.status == 200).await;
    assert_eq!(caller.session(&id).await["version"], 2);
}

#[tokio::test]
async fn a_body_that_arrives_too_slowly_is_refused() {
    let mut options = Options::default();
    options.settings.body_time = Duration::from_millis(200);
    let world = TestApp::idle(options).await;
    for key in [None, Some("one")] {
        let begun = stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"{\"title\": ")) });
        let body = Body::from_stream(begun.chain(stream::pending()));
        let mut request = Request::post("/api/v1/sessions")
            .header("authorization", format!("Bearer {}", world.tenant.key(Role::Member)))
            .header("x-tenant-id", &world.tenant.slug)
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = world.api.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        assert_eq!(response.status(), 408);
        let body: Value = serde_json::from_slice(&response.collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(body["code"], "BODY_TOO_SLOW");
    }
}

#[tokio::test]
async fn an_event_stream_may_outlast_the_request_timeout() {
    let mut options = Options::default();
    options.settings.request_time = Duration::from_millis(1500);
    let world = TestApp::idle(options).await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let request = Request::get(format!("/api/v1/sessions/{id}/events"))
        .header("authorization", format!("Bearer {}", world.tenant.key(Role::Member)))
        .header("accept", "text/event-stream");
    let response = world.api.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let mut frames = response.into_body().into_data_stream();
    let mut reported = String::new();
    while !reported.contains("session.created") {
        reported.push_str(&String::from_utf8_lossy(&frames.next().await.unwrap().unwrap()));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    caller.patch(&format!("/sessions/{id}"), json!({"title": "Another title"})).await.expect(200);
    while !reported.contains("session.updated") {
        reported.push_str(&String::from_utf8_lossy(&frames.next().await.unwrap().unwrap()));
    }
}
