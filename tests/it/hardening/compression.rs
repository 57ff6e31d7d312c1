//! Large answers are compressed for callers that accept it; streams and small answers are not.

use std::io::Read;

use flate2::read::GzDecoder;
use harness::{Caller, Options, Reply, TestApp};
use serde_json::{Value, json};
use shared::identity::auth::Role;

async fn sessions(world: &TestApp) -> Caller {
    let caller = world.caller(Role::Member);
    for n in 0..5 {
        caller.new_session(json!({"title": format!("Session {n}"), "initial_prompt": "Repeat. ".repeat(500)})).await;
    }
    caller
}

fn unpacked(reply: &Reply) -> Value {
    let mut text = String::new();
    GzDecoder::new(reply.bytes.as_ref()).read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test]
async fn a_large_answer_is_compressed_for_a_caller_that_accepts_it() {
    let world = TestApp::full().await;
    let caller = sessions(&world).await;
    let plain = caller.get("/sessions").await;
    assert!(plain.headers.get("content-encoding").is_none());
    for accepted in ["gzip", "br;q=1.0, gzip;q=0.8, *;q=0.1"] {
        let packed = caller.with("accept-encoding", accepted).get("/sessions").await;
        assert_eq!((packed.status.as_u16(), &packed.headers["content-encoding"]), (200, &"gzip".parse().unwrap()));
        assert!(packed.headers["vary"].to_str().unwrap().contains("accept-encoding"));
        assert!(packed.bytes.len() * 5 < plain.bytes.len(), "{} of {} bytes", packed.bytes.len(), plain.bytes.len());
        assert_eq!(unpacked(&packed), plain.json());
    }
    for refused in ["identity", "gzip;q=0"] {
        let reply = caller.with("accept-encoding", refused).get("/sessions").await;
        assert!(reply.headers.get("content-encoding").is_none());
        assert_eq!(reply.bytes, plain.bytes);
    }
    let small = caller.with("accept-encoding", "gzip").get("/health").await;
    assert!(small.headers.get("content-encoding").is_none());
}

#[tokio::test]
async fn an_event_stream_is_not_compressed() {
    let mut options = Options::default();
    options.settings.streams = false;
    let world = TestApp::idle(options).await;
    let caller = world.caller(Role::Member);
    let prompt = "Repeat. ".repeat(500);
    let id = caller.new_session(json!({"initial_prompt": prompt, "metadata": {"note": "x".repeat(5000)}})).await;
    let streaming = caller.with("accept", "text/event-stream").with("accept-encoding", "gzip");
    let stream = streaming.get(&format!("/sessions/{id}/events")).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert!(stream.headers.get("content-encoding").is_none());
    assert!(String::from_utf8_lossy(&stream.bytes).contains("session.created"));
}

#[tokio::test]
async fn a_repeated_answer_is_compressed_like_the_first() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member).with("idempotency-key", "packed").with("accept-encoding", "gzip");
    let body = json!({"title": "Fix the parser", "initial_prompt": "Repeat. ".repeat(500)});
    let first = caller.post("/sessions", body.clone()).await;
    let again = caller.post("/sessions", body).await;
    assert_eq!((first.status.as_u16(), &again.headers["idempotent-replay"]), (201, &"true".parse().unwrap()));
    assert_eq!(unpacked(&first), unpacked(&again));
}
