//! `GET /fine-tuning/jobs/{id}/events`.

use harness::{TestApp, found};
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn the_log_holds_every_transition_and_can_be_read_from_any_position() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let id = lead.train(json!({"duration_seconds": 0.1})).await;
    lead.trains(&id, &["completed"]).await;
    let events = lead.training_events(&id).await;
    assert_eq!(events[0]["type"], "training.created");
    assert_eq!(events[0]["job_id"], json!(id));
    assert_eq!(events[1]["payload"], json!({"from": "pending", "to": "queued", "reason": "started", "attempt": 1}));
    assert_eq!(events[1]["actor"]["kind"], "key");
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["actor"]["id"]), (&json!("training.completed"), &json!("trainer")), "{last:#}");
    assert!(events.iter().any(|event| event["type"] == "training.progress" && event["payload"]["loss"].is_f64()));
    let page = lead.get(&format!("/fine-tuning/jobs/{id}/events?after=1&limit=2")).await.expect(200);
    assert_eq!(page["items"], json!(events[1..3]));
    assert_eq!((&page["next_cursor"], &page["last_seq"]), (&json!("3"), &json!(events.len())));
    for wrong in ["after=-1", "limit=0", "after=x"] {
        let reply = lead.get(&format!("/fine-tuning/jobs/{id}/events?{wrong}")).await;
        reply.problem(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn the_log_stream_continues_until_the_end_of_the_job() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let id = lead.train(json!({"duration_seconds": 0.5})).await;
    let mut stream = lead.stream_of(&format!("/api/v1/fine-tuning/jobs/{id}")).await;
    let mut reported = Vec::new();
    while reported.last().is_none_or(|event: &serde_json::Value| event["type"] != "training.completed") {
        let frame = stream.next().await.expect("it goes on until then");
        assert_eq!((&json!(frame.id), &json!(frame.event)), (&frame.data["seq"], &frame.data["type"]));
        reported.push(frame.data);
    }
    assert_eq!(reported, lead.training_events(&id).await);
}

#[tokio::test]
async fn a_subscriber_to_training_gets_every_transition_and_the_registered_model() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let id = lead.train(json!({"duration_seconds": 0.1})).await;
    lead.trains(&id, &["completed"]).await;
    // An event is published once no earlier one can be committed any more.
    let reported = found(async || {
        let page = lead.get("/api/v1/live/events?topic=/ws/fine-tuning&limit=200").await.expect(200);
        let items = page["items"].as_array().unwrap().clone();
        items.iter().any(|event| event["type"] == "training.completed").then_some(items)
    })
    .await;
    let moves: Vec<_> = reported.iter().filter(|event| event["type"] == "training.status_changed").collect();
    let to: Vec<_> = moves.iter().map(|event| event["payload"]["to"].as_str().unwrap()).collect();
    assert_eq!(to, ["queued", "running", "evaluating", "completed"]);
    assert!(
        reported
            .iter()
            .filter(|event| event["type"] != "model.registered")
            .all(|event| event["payload"]["job_id"] == id)
    );
    assert!(reported.iter().any(|event| event["type"] == "model.registered"));
}
