//! `GET /sessions/{id}/events`: pages and streams of the log.

use harness::{Options, TestApp, sse::Frame};
use serde_json::{Value, json};
use shared::identity::auth::Role;

/// Checks that the stream equals the log.
fn check(frames: &[Frame], events: &[Value]) {
    assert_eq!(frames.len(), events.len());
    for (frame, event) in frames.iter().zip(events) {
        assert_eq!(
            (json!(frame.id), json!(frame.event), &frame.data),
            (event["seq"].clone(), event["type"].clone(), event)
        );
    }
}

#[tokio::test]
async fn pages_of_any_size_hold_every_event_once_in_order() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!(vec![json!({"do": "say", "text": "a"}); 10])).await;
    let done = caller.reaches(&id, &["completed"]).await;
    let all = caller.events(&id).await;
    assert_eq!(done["last_event_seq"], all.len());
    for limit in [1, 4, 200] {
        let (mut read, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let page = caller.get(&format!("/sessions/{id}/events?limit={limit}&after={after}")).await.expect(200);
            assert_eq!(page["last_seq"], all.len());
            read.extend(page["items"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut after),
                None => break,
            }
        }
        assert_eq!(read, all, "by {limit}");
    }
    let beyond = caller.get(&format!("/sessions/{id}/events?after=9000000000")).await.expect(200);
    assert_eq!((&beyond["items"], &beyond["next_cursor"]), (&json!([]), &Value::Null));
}

#[tokio::test]
async fn a_stream_sends_each_event_once_and_in_order_as_it_occurs() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({"agent_config": {"agent": "manual"}})).await;
    let mut stream = caller.stream(&id).await;
    let mut frames = vec![stream.next().await.unwrap()];
    assert_eq!(frames[0].event, "session.created");
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    frames.extend(stream.until("running").await);
    caller.post(&format!("/sessions/{id}/messages"), json!({"text": "line\nline\r\nline"})).await.expect(202);
    caller.post(&format!("/sessions/{id}/complete"), json!({"result": 1})).await.expect(200);
    frames.extend(stream.until("completed").await);
    frames.push(stream.next().await.unwrap());
    check(&frames, &caller.events(&id).await[..frames.len()]);
    assert_eq!(frames.last().unwrap().event, "session.completed");
}

#[tokio::test]
async fn a_stream_continues_after_last_event_id_which_takes_precedence_over_after() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!(vec![json!({"do": "say", "text": "a"}); 5])).await;
    caller.reaches(&id, &["completed"]).await;
    let all = caller.events(&id).await;
    for last in 0..all.len() {
        let mut stream = caller.with("last-event-id", &last.to_string()).stream(&id).await;
        let mut frames = Vec::new();
        while frames.len() < all.len() - last {
            frames.push(stream.next().await.unwrap());
        }
        check(&frames, &all[last..]);
    }
    let mut stream = caller
        .with("last-event-id", "2")
        .stream(&format!("{id}/events?after=0&x=").replace("/events?after=0&x=", ""))
        .await;
    assert_eq!(stream.next().await.unwrap().id, 3);
    // A browser sends the header by itself, and gives up when it is refused.
    let mut stream = caller.with("last-event-id", "x").stream(&id).await;
    assert_eq!(stream.next().await.unwrap().id, 1);
}

#[tokio::test]
async fn a_reader_that_reconnects_during_a_run_misses_and_repeats_nothing() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!(vec![json!({"do": "write", "path": "a.rs", "content": "a", "ms": 15}); 15])).await;
    let mut frames: Vec<Frame> = Vec::new();
    'reads: loop {
        let last = frames.last().map_or(0, |frame| frame.id).to_string();
        let mut stream = caller.with("last-event-id", &last).stream(&id).await;
        for _ in 0..3 {
            frames.push(stream.next().await.unwrap());
            if frames.last().unwrap().event == "session.completed" {
                break 'reads;
            }
        }
    }
    check(&frames, &caller.events(&id).await);
}

#[tokio::test]
async fn where_connections_are_not_kept_open_a_stream_ends_after_existing_events() {
    let mut options = Options::default();
    options.settings.streams = false;
    let world = TestApp::with(options).await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([])).await;
    caller.reaches(&id, &["completed"]).await;
    let mut stream = caller.stream(&id).await;
    let mut frames = Vec::new();
    while let Some(frame) = stream.next().await {
        frames.push(frame);
    }
    check(&frames, &caller.events(&id).await);
}

#[tokio::test]
async fn where_responses_are_buffered_a_long_log_is_read_in_several_requests() {
    let mut options = Options::default();
    options.settings.streams = false;
    let world = TestApp::idle(options).await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({})).await;
    let filler = "x".repeat(20_000);
    owner
        .run(&format!(
            "insert into session_events (tenant_id, session_id, seq, id, type, actor, at, payload)
             select e.tenant_id, e.session_id, n, uuidv7(), 'session.log', e.actor, e.at,
                    jsonb_build_object('level', 'info', 'message', '{filler}')
             from session_events e, generate_series(2, 500) n where e.session_id = '{id}';
             update sessions set last_event_seq = 500 where id = '{id}'"
        ))
        .await;
    let (mut frames, mut answers): (Vec<Frame>, _) = (Vec::new(), 0);
    while frames.last().is_none_or(|frame| frame.id < 500) {
        let last = frames.last().map_or(0, |frame| frame.id).to_string();
        let mut stream = caller.with("last-event-id", &last).stream(&id).await;
        let before = frames.len();
        while let Some(frame) = stream.next().await {
            frames.push(frame);
        }
        assert!((1..=201).contains(&(frames.len() - before)), "{} in one answer", frames.len() - before);
        answers += 1;
    }
    check(&frames, &caller.events(&id).await);
    assert_eq!(answers, 3);
}

#[tokio::test]
async fn a_stream_ends_when_its_session_is_deleted() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let mut stream = caller.stream(&id).await;
    stream.next().await.unwrap();
    caller.delete(&format!("/sessions/{id}")).await.expect(204);
    assert_eq!(stream.next().await, None);
}
