//! The live stream: which subscriber gets which event, once and in order, despite faults.

mod agents;
mod close;
mod event_streams;
mod gateway;
mod health;
mod order;
mod resume;
mod slow;
mod tickets;
mod topics;

use std::time::Duration;

use harness::{Caller, Options, TestApp, superuser::Superuser, until};
use serde_json::{Value, json};
use shared::{events::stream::StreamTimings, identity::auth::Role};

/// A test app whose stream has short intervals.
pub(super) async fn world() -> TestApp {
    TestApp::idle(options()).await
}

pub(super) fn options() -> Options {
    let mut options = Options::default();
    options.settings.live = StreamTimings {
        heartbeat: Duration::from_millis(500),
        recheck: Duration::from_millis(100),
        poll: Duration::from_millis(200),
        ..StreamTimings::default()
    };
    options
}

/// A session of the first tenant that nobody works on, and whose creation was published.
pub(super) async fn session(world: &TestApp) -> String {
    session_of(&world.caller(Role::Member)).await
}

/// Open transactions of other tests delay events: a subscription right after a write may receive that write.
pub(super) async fn session_of(caller: &Caller) -> String {
    let id = caller.new_session(json!({"agent_config": {"agent": "manual"}})).await;
    until(async || {
        let page = caller.get("/api/v1/live/events?topic=/ws/sessions&limit=200").await.expect(200);
        page["items"].as_array().unwrap().iter().any(|item| item["session_id"] == id)
    })
    .await;
    id
}

/// Writes events of a session as many at once, as one transaction of the product would.
pub(super) async fn write(owner: &Superuser, session: &str, count: usize) {
    owner.run(&appending(session, count, "jsonb_build_object('level', 'info', 'message', g::text)")).await;
}

/// SQL that writes them.
pub(super) fn appending(session: &str, count: usize, payload: &str) -> String {
    format!(
        "with s as (
             update sessions set last_event_seq = last_event_seq + {count},
                 last_event_position = greatest(last_event_position, pg_current_xact_id())
             where id = '{session}' returning *)
         insert into session_events (tenant_id, session_id, seq, id, type, actor, at, payload, position)
         select s.tenant_id, s.id, s.last_event_seq - {count} + g, gen_random_uuid(), 'session.log',
             '{{\"kind\": \"system\", \"id\": \"test\", \"name\": \"test\"}}', now(), {payload}, s.last_event_position
         from s, generate_series(1, {count}) g"
    )
}

/// The session and number of an event's frame.
pub(super) fn place(frame: &Value) -> (String, i64) {
    (frame["session_id"].as_str().unwrap_or_default().to_owned(), frame["seq"].as_i64().unwrap_or_default())
}

pub(super) fn cursor(frame: &Value) -> String {
    frame["cursor"].as_str().unwrap_or_else(|| panic!("no cursor: {frame}")).to_owned()
}
