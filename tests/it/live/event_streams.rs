//! Event streams over HTTP: who may open one, how many, and when each ends.

use harness::{Caller, Options, TestApp, sse::Stream, websocket::ticket};
use serde_json::{Value, json};
use shared::{
    app::Settings,
    events::stream::{Cursor, StreamLimits},
    identity::auth::{Role, revoke_setup_key},
};

use super::{options, session, world, write};

const A2A: &str = "/api/v1/a2a";

/// One stream of each kind about a session that nobody works on, and about a job that does not start.
async fn every_kind(world: &TestApp, caller: &Caller, id: &str, job: &str) -> Vec<(&'static str, Stream)> {
    let task = format!("{A2A}/{}/tasks/{id}:subscribe", world.tenant.slug);
    vec![
        ("session", caller.stream(id).await),
        ("job", caller.stream_of(&format!("/api/v1/fine-tuning/jobs/{job}")).await),
        ("topic", caller.open_stream("GET", "/api/v1/live/events", None).await),
        ("task", caller.open_stream("POST", &task, None).await),
    ]
}

/// A training job that does not start.
async fn job(world: &TestApp) -> String {
    world.caller(Role::Lead).new_training(json!({})).await
}

#[tokio::test]
async fn an_event_stream_ends_with_the_last_event_of_its_session() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "say", "text": "One."}])).await;
    let mut during = caller.stream(&id).await;
    assert_eq!(during.end_reason().await.as_deref(), Some("over"), "it was opened before the end");
    caller.reaches(&id, &["completed"]).await;
    let log = caller.events(&id).await;
    let mut after = caller.stream(&id).await;
    for event in &log {
        assert_eq!(&after.next().await.unwrap().data, event);
    }
    assert_eq!(after.end_reason().await.as_deref(), Some("over"));
    let last = log.len().to_string();
    let again = caller.with("accept", "text/event-stream").with("last-event-id", &last);
    again.get(&format!("/sessions/{id}/events")).await.expect(204);
    let before_last = (log.len() - 1).to_string();
    let mut rest = caller.with("last-event-id", &before_last).stream(&id).await;
    assert_eq!(rest.next().await.unwrap().id, log.len());
    assert_eq!(rest.end_reason().await.as_deref(), Some("over"));
}

#[tokio::test]
async fn event_streams_of_a_revoked_key_are_cut_and_the_others_go_on() {
    let world = world().await;
    let (owner, id, job) = (world.superuser().await, session(&world).await, job(&world).await);
    let theirs = every_kind(&world, &world.caller(Role::Member), &id, &job).await;
    let mut other = world.caller(Role::Lead).stream(&id).await;
    other.next().await.unwrap();
    // In another process, which does not notify this one.
    let revoked = world.tenant.key_id(Role::Member);
    owner.run(&format!("update api_keys set revoked_at = now() where id = '{revoked}'")).await;
    for (kind, mut stream) in theirs {
        let reason = stream.end_reason().await;
        // A2A has no frame for it: its streams just end.
        assert_eq!(reason.as_deref(), (kind != "task").then_some("credential_ended"), "{kind}");
    }
    write(&owner, &id, 1).await;
    assert_eq!(other.next().await.unwrap().event, "session.log");
}

#[tokio::test]
async fn event_streams_of_removed_people_and_deactivated_tenants_are_cut() {
    let world = world().await;
    let (owner, id, job) = (world.superuser().await, session(&world).await, job(&world).await);
    let lead = world.caller(Role::Lead);
    let person = json!({"email": "ada@example.org", "full_name": "Ada", "role": "member"});
    let person = lead.post("/api/v1/users", person).await.expect(201);
    let key = lead.post("/api/v1/api-keys", json!({"name": "hers", "user_id": person["id"]})).await.expect(201);
    let hers = world.nobody().with("authorization", &format!("Bearer {}", key["secret"].as_str().unwrap()));
    let streams = every_kind(&world, &hers, &id, &job).await;
    lead.patch(&format!("/api/v1/users/{}", person["id"].as_str().unwrap()), json!({"is_active": false}))
        .await
        .expect(200);
    for (_, mut stream) in streams {
        stream.end_reason().await;
    }
    let streams = every_kind(&world, &lead, &id, &job).await;
    owner.run(&format!("update tenants set is_active = false where id = '{}'", world.tenant.id)).await;
    for (_, mut stream) in streams {
        stream.end_reason().await;
    }
}

#[tokio::test]
async fn a_key_and_a_tenant_may_have_only_so_many_streams_open() {
    let stream_limits = StreamLimits { per_credential: 2, per_tenant: 3 };
    let settings = Settings { stream_limits, ..Options::default().settings };
    let world = TestApp::idle(Options { settings, ..Options::default() }).await;
    let (viewer, member, lead) = (world.caller(Role::Viewer), world.caller(Role::Member), world.caller(Role::Lead));
    let id = session(&world).await;
    let path = format!("/sessions/{id}/events");
    let refused = async |caller: &Caller| {
        let problem = caller.with("accept", "text/event-stream").get(&path).await.problem(429, "TOO_MANY_STREAMS");
        assert_eq!(problem["retryable"], true);
        problem["detail"].as_str().unwrap().to_owned()
    };
    let held = [viewer.stream(&id).await, viewer.stream(&id).await];
    assert!(refused(&viewer).await.contains("credential"));
    let third = member.stream(&id).await;
    assert!(refused(&lead).await.contains("tenant"));
    let subscribe = format!("{A2A}/{{tenant}}/tasks/{id}:subscribe");
    assert_eq!(lead.act(&subscribe).await.status, 429);
    drop(third);
    lead.stream(&id).await.next().await.unwrap();
    drop(held);
    viewer.stream(&id).await.next().await.unwrap();
    // What waits within a request counts for the tenant only, and is answered in any case.
    lead.get(&format!("/sessions/{id}?wait=1")).await.expect(200);
}

#[tokio::test]
async fn a_ticket_opens_an_event_stream_once() {
    let world = world().await;
    let id = session(&world).await;
    let viewer = world.caller(Role::Viewer);
    for path in [format!("/api/v1/sessions/{id}/events"), "/api/v1/live/events".to_owned()] {
        let path = format!("{path}?ticket={}", ticket(&viewer).await);
        let mut stream = world.nobody().open_stream("GET", &path, None).await;
        assert!(stream.next_raw().await.is_some(), "{path}");
        assert_eq!(stream.headers["x-accel-buffering"], "no");
        world.nobody().with("accept", "text/event-stream").get(&path).await.problem(401, "UNAUTHENTICATED");
        // The ticket is what counts.
        viewer.with("accept", "text/event-stream").get(&path).await.problem(401, "UNAUTHENTICATED");
    }
    let path = format!("/sessions/{id}/events?ticket={}", ticket(&viewer).await);
    revoke_setup_key(&world.app, world.tenant.id, world.tenant.key_id(Role::Viewer)).await.unwrap();
    world.nobody().get(&path).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_key_that_may_only_read_may_watch_what_it_reads() {
    let world = world().await;
    let (id, lead) = (session(&world).await, world.caller(Role::Lead));
    let with_scope = async |scope: &str| {
        let made = lead.post("/api/v1/api-keys", json!({"name": scope, "scopes": [scope]})).await.expect(201);
        world.nobody().with("authorization", &format!("Bearer {}", made["secret"].as_str().unwrap()))
    };
    let (sessions, agents) = (with_scope("sessions:read").await, with_scope("agents:read").await);
    let log = async |ticket: &str| {
        let path = format!("/sessions/{id}/events?ticket={ticket}");
        world.nobody().get(&path).await.status.as_u16()
    };
    assert_eq!(log(&ticket(&sessions).await).await, 200);
    assert_eq!(log(&ticket(&agents).await).await, 403);
    let topic = async |topic: &str, caller: &Caller| {
        caller.get(&format!("/api/v1/live/events?topic={topic}")).await.status.as_u16()
    };
    assert_eq!((topic("/ws/sessions", &sessions).await, topic("/ws/agents", &sessions).await), (200, 403));
    assert_eq!((topic("/ws/sessions", &agents).await, topic("/ws/agents", &agents).await), (403, 200));
    let refused = sessions.with("accept", "text/event-stream").get("/api/v1/live/events?topic=/ws/agents").await;
    refused.problem(403, "FORBIDDEN");
}

/// The next event of a topic: its session and number, and its cursor.
async fn next_event(stream: &mut Stream) -> (Value, Value, String) {
    loop {
        let frame = stream.next_raw().await.expect("it goes on");
        if let (Some(cursor), Some(data)) = (frame.id, frame.data) {
            assert_eq!(data["cursor"], cursor);
            return (data["session_id"].clone(), data["seq"].clone(), cursor);
        }
    }
}

#[tokio::test]
async fn the_event_stream_of_a_topic_continues_after_last_event_id() {
    let world = world().await;
    let (owner, viewer) = (world.superuser().await, world.caller(Role::Viewer));
    let (one, two) = (session(&world).await, session(&world).await);
    let mut stream = viewer.open_stream("GET", "/api/v1/live/events", None).await;
    // The position comes first, so that a client that is cut before the first event misses nothing.
    let position = stream.next_raw().await.unwrap().id.unwrap();
    for n in 2..5 {
        write(&owner, &one, 1).await;
        let (session, seq, _) = next_event(&mut stream).await;
        assert_eq!((session, seq), (json!(one), json!(n)));
    }
    drop(stream);
    write(&owner, &two, 2).await;
    let mut stream = viewer.with("last-event-id", &position).open_stream("GET", "/api/v1/live/events", None).await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for _ in 0..5 {
        let (session, seq, at) = next_event(&mut stream).await;
        seen.push((session, seq));
        cursor = at;
    }
    let wanted = [(&one, 2), (&one, 3), (&one, 4), (&two, 2), (&two, 3)];
    assert_eq!(seen, wanted.map(|(id, seq)| (json!(id), json!(seq))));
    let page = viewer.get(&format!("/api/v1/live/events?after={cursor}")).await.expect(200);
    assert_eq!(page["items"], json!([]), "the log has the same cursors");
}

#[tokio::test]
async fn an_unknown_position_in_a_header_is_not_refused() {
    let world = world().await;
    let viewer = world.caller(Role::Viewer);
    // The header is sent by browsers themselves, so none is refused; a parameter that is no cursor is.
    let far = Cursor::Sessions { position: u64::MAX / 2, session: uuid::Uuid::nil(), seq: 1 };
    for unknown in ["x".to_owned(), world.app.cursors.write_cursor(far)] {
        let resumed = viewer.with("last-event-id", &unknown);
        let mut stream = resumed.open_stream("GET", "/api/v1/live/events", None).await;
        let position = stream.next_raw().await.unwrap().id.unwrap();
        if unknown != "x" {
            let frame = stream.next_raw().await.unwrap();
            assert_eq!(
                (frame.event.as_deref(), &frame.data.unwrap()["payload"]["reason"]),
                (Some("resync"), &json!("cursor_unknown"))
            );
        }
        drop(stream);
        assert_ne!(position, unknown);
    }
    viewer.get("/api/v1/live/events?after=x").await.problem(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn without_open_streams_a_topic_is_answered_with_what_there_is() {
    let mut options = options();
    options.settings.streams = false;
    let world = TestApp::idle(options).await;
    let (owner, viewer, id) = (world.superuser().await, world.caller(Role::Viewer), session(&world).await);
    let mut stream = viewer.open_stream("GET", "/api/v1/live/events", None).await;
    let position = stream.next_raw().await.unwrap().id.unwrap();
    assert_eq!(stream.next_raw().await, None);
    write(&owner, &id, 2).await;
    harness::until(async || {
        let mut stream = viewer.with("last-event-id", &position).open_stream("GET", "/api/v1/live/events", None).await;
        let mut seqs = Vec::new();
        while let Some(frame) = stream.next_raw().await {
            seqs.extend(frame.data.map(|data| data["seq"].clone()));
        }
        seqs == [json!(2), json!(3)]
    })
    .await;
}
