//! A reader that does not read: it costs the others nothing, and is told where to read on.

use std::time::Duration;

use harness::{World, watch::Served};
use serde_json::json;

use super::{appending, cursor, options, place, session};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_does_not_read_holds_nobody_up_and_reads_on_by_itself() {
    let mut options = options();
    options.settings.live.resync_after = Duration::from_secs(2);
    let world = World::idle(options).await;
    let (served, owner, id) = (Served::of(&world).await, world.owner().await, session(&world).await);
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
            assert_eq!(place(&quick.told().await), (id.clone(), seq));
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (mut got, mut last) = (0, from);
    let told = loop {
        let frame = slow.told().await;
        if frame["type"] == "resync" {
            break frame;
        }
        got += 1;
        assert_eq!(place(&frame), (id.clone(), 1 + got));
        last = cursor(&frame);
    };
    assert!(got < 2000, "it got all {got}");
    assert_eq!((&told["payload"]["reason"], cursor(&told)), (&json!("too_slow"), last.clone()));
    // It reads the log from there, and goes on after it.
    let caller = world.caller(shared::auth::Role::Viewer);
    loop {
        let page =
            caller.get(&format!("/api/v1/live/events?topic=/ws/sessions&after={last}&limit=200")).await.expect(200);
        for item in page["items"].as_array().unwrap() {
            got += 1;
            assert_eq!(item["seq"], 1 + got);
        }
        last = cursor(&page);
        if page["next_cursor"].is_null() {
            break;
        }
    }
    assert_eq!(got, 2000);
    slow.subscribe("/ws/sessions", Some(&last)).await;
    slow.until("subscription.confirmed").await;
    owner.run(&appending(&id, 1, "'{}'")).await;
    assert_eq!(place(&slow.told().await), (id, 2002));
}

#[tokio::test]
async fn heartbeats_come_also_when_nothing_happens() {
    let world = World::idle(options()).await;
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/tuning").await;
    for _ in 0..3 {
        let beat = socket.until("heartbeat").await;
        assert!(beat["timestamp"].is_string());
    }
}
