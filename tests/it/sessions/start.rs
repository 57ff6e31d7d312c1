//! `POST /sessions/{id}/start`.

use futures_util::future::join_all;
use harness::{Options, TestApp};
use serde_json::json;
use shared::{app::reconciler::reconcile, identity::auth::Role, kernel::clock::Clock, platform::queue::job::Job};

#[tokio::test]
async fn only_one_of_many_concurrent_starts_is_accepted() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let path = format!("/sessions/{id}/start");
    let replies = join_all((0..10).map(|_| caller.act(&path))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 202).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.code() == "INVALID_TRANSITION").count(), 9);
    caller.reaches(&id, &["completed"]).await;
    assert_eq!(caller.states(&id).await, ["queued", "running", "completed"]);
}

#[tokio::test]
async fn every_transition_event_names_from_to_actor_and_reason() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Lead);
    let id = caller.run_script(json!([])).await;
    caller.reaches(&id, &["completed"]).await;
    let events = caller.events(&id).await;
    let reported: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "session.status_changed")
        .map(|event| {
            let (payload, actor) = (&event["payload"], &event["actor"]);
            [&payload["from"], &payload["to"], &payload["reason"], &actor["kind"], &actor["name"]]
                .map(|v| v.as_str().unwrap())
        })
        .collect();
    let expected = [
        ["pending", "queued", "start", "key", "lead"],
        ["queued", "running", "accepted by its agent", "system", "dispatcher"],
        ["running", "completed", "the agent is done", "system", "observer"],
    ];
    assert_eq!(reported, expected);
    for event in &events {
        assert_eq!((&event["session_id"], &event["tenant_id"]), (&json!(id), &json!(world.tenant.id)));
        assert!(uuid::Uuid::parse_str(event["id"].as_str().unwrap()).is_ok());
    }
}

#[tokio::test]
async fn a_session_queued_longer_than_the_timeout_times_out() {
    let clock = Clock::fixed(Clock::System.now());
    let limits = shared::identity::tenants::TenantLimits { max_concurrent_sessions: 0, ..Default::default() };
    let world = TestApp::idle(Options { clock: clock.clone(), limits, ..Options::default() }).await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(json!({})).await;
    let observe = Job::observe(world.tenant.id, id.parse().unwrap());
    clock.advance(chrono::TimeDelta::hours(24) - chrono::TimeDelta::seconds(1));
    reconcile(&world.app).await.unwrap();
    world.run(observe.clone()).await;
    assert_eq!(caller.session(&id).await["status"], "queued");
    clock.advance(chrono::TimeDelta::seconds(1));
    reconcile(&world.app).await.unwrap();
    world.run(observe).await;
    let over = caller.session(&id).await;
    assert_eq!(over["status"], "timeout");
    assert_eq!(over["outcome"]["error"]["code"], "QUEUE_LIMIT");
    assert_eq!(over["outcome"]["error"]["category"], "timeout");
}

#[tokio::test]
async fn an_unqueued_session_can_be_started_again() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(json!({})).await;
    assert_eq!(caller.act(&format!("/sessions/{id}/unqueue")).await.expect(200)["queue"], json!(null));
    assert_eq!(caller.act(&format!("/sessions/{id}/start")).await.expect(202)["status"], "queued");
    assert_eq!(caller.states(&id).await, ["queued", "pending", "queued"]);
}
