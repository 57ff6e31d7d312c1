//! A reader that does not read: it costs the others nothing, and learns the cursor to continue from.

use std::time::Duration;

use harness::{TestApp, websocket::Served};
use serde_json::json;

use super::{appending, cursor, options, place, session};

/// Reads the log after a cursor, from the event behind number `got` to number `all`; returns the last cursor.
async fn read_log(world: &TestApp, mut last: String, mut got: i64, all: i64) -> String {
    let caller = world.caller(shared::identity::auth::Role::Viewer);
    loop {
        let page =
            caller.get(&format!("/api/v1/live/events?topic=/ws/sessions&after={last}&limit=200")).await.expect(200);
        for item in page["items"].as_array().unwrap() {
            got += 1;
            assert_eq!(item["seq"], 1 + got);
        }
        last = cursor(&page);
        if page["next_cursor"].is_null() {
            assert_eq!(got, all);
            return last;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_delays_nobody_and_catches_up_by_itself() {
    let mut options = options();
    options.settings.live.resync_after = Duration::from_secs(2);
    let world = TestApp::idle(options).await;
    let (served, owner, id) = (Served::of(&world).await, world.superuser().await, session(&world).await);
    let mut slow = served.open(&world, "/ws/sessions").await;
    let mut quick = served.open(&world, "/ws/sessions").await;
    let from = cursor(&slow.until("subscription.confirmed").await);
    quick.until("subscription.confirmed").await;
    // More than the network between them holds.
    let payload = "jsonb_build_object('level', 'info', 'message', repeat('x', 20000))";
    let mut seq = 1;
    for _ in 0..20 {
        owner.run(&appending(&id, 100, payload)).await;
        for _ in 0..100 {
            seq += 1;
            assert_eq!(place(&quick.next_event().await), (id.clone(), seq));
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (mut got, mut last) = (0, from);
    let reported = loop {
        let frame = slow.next_event().await;
        if frame["type"] == "resync" {
            break frame;
        }
        got += 1;
        assert_eq!(place(&frame), (id.clone(), 1 + got));
        last = cursor(&frame);
    };
    assert!(got < 2000, "it got all {got}");
    assert_eq!((&reported["payload"]["reason"], cursor(&reported)), (&json!("too_slow"), last.clone()));
    // It reads the log from there, and goes on after it.
    let last = read_log(&world, last, got, 2000).await;
    slow.subscribe("/ws/sessions", Some(&last)).await;
    slow.until("subscription.confirmed").await;
    owner.run(&appending(&id, 1, "'{}'")).await;
    assert_eq!(place(&slow.next_event().await), (id, 2002));
}

#[tokio::test]
async fn heartbeats_are_sent_even_when_nothing_happens() {
    let world = TestApp::idle(options()).await;
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/fine-tuning").await;
    for _ in 0..3 {
        let frame = socket.until("heartbeat").await;
        assert!(frame["timestamp"].is_string());
    }
}
