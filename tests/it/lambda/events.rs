//! One event of each kind, through `cargo lambda invoke` or over HTTP.

use serde_json::{Value, json};
use shared::{
    identity::auth::Role,
    kernel::id::SessionId,
    platform::queue::job::{Job, QueueName},
};

use super::Cloud;

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn an_api_gateway_event_reads_the_health() {
    let cloud = Cloud::new().await;
    let answer = cloud.watch.invoke("health", include_str!("../../events/health.json")).unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(body(&answer)["status"], "ok");
}

#[tokio::test]
async fn an_api_gateway_event_creates_a_session_and_enqueues_its_dispatch() {
    let cloud = Cloud::new().await;
    let event = cloud.fill(include_str!("../../events/create-session.json"), "");
    let answer = cloud.watch.invoke("sessions", &event).unwrap();
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let session = body(&answer);
    assert_eq!(session["status"], "queued");
    let stored = cloud.world.caller(Role::Lead).session(session["id"].as_str().unwrap()).await;
    assert_eq!(stored["title"], session["title"]);
    assert_eq!(cloud.waiting(QueueName::Dispatch).await, 1);
}

#[tokio::test]
async fn an_authorizer_event_is_answered_with_yes_or_no() {
    let cloud = Cloud::new().await;
    let event = cloud.fill(include_str!("../../events/authorize.json"), "");
    let answer = cloud.watch.invoke("authorizer", &event).unwrap();
    assert_eq!(answer["isAuthorized"], true, "{answer}");
    assert_eq!(answer["context"]["tenant_id"], cloud.world.tenant.id.to_string());
    let forged = event.replace("Bearer ioc_", "Bearer ioc_x");
    assert_eq!(cloud.watch.invoke("authorizer", &forged).unwrap(), json!({"isAuthorized": false, "context": {}}));
}

#[tokio::test]
async fn only_the_bad_message_of_a_batch_is_reported() {
    let cloud = Cloud::new().await;
    let caller = cloud.world.caller(Role::Lead);
    let session = caller.start_session(json!({"agent_config": {"agent": "scripted"}})).await;
    let event = cloud.fill(include_str!("../../events/dispatch-batch.json"), &session);
    let answer = cloud.watch.invoke("dispatch", &event).unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "bad"}]}), "{}", cloud.watch.log());
    let offered = caller.session(&session).await;
    // It is offered to its agent, and runs once the agent has accepted it.
    let is_offered = offered["queue"]["detail"].as_str().is_some_and(|detail| detail.contains("offered"));
    assert!(is_offered || offered["status"] == "running", "the work of the others is done: {offered:#}");
    // Of the two good ones the first to come hands it over, or leaves that to a message when the other comes meanwhile.
    let next = cloud.waiting(QueueName::Observe).await + cloud.waiting(QueueName::Dispatch).await;
    assert!(next >= 1, "its agent is looked at next");
}

#[tokio::test]
async fn the_schedule_enqueues_due_rows_that_no_worker_claimed() {
    let cloud = Cloud::new().await;
    let caller = cloud.world.caller(Role::Lead);
    caller.start_session(json!({})).await;
    let lost = cloud.queue.receive(QueueName::Dispatch, 1, std::time::Duration::from_secs(2)).await.unwrap();
    cloud.queue.delete(&lost[0].receipt).await.unwrap();
    assert_eq!(cloud.waiting(QueueName::Dispatch).await, 0);
    let answer = cloud.watch.invoke("reconcile", include_str!("../../events/schedule.json")).unwrap();
    assert_eq!(answer, json!({"verdict": "done"}));
    assert_eq!(cloud.waiting(QueueName::Dispatch).await, 1, "{}", cloud.watch.log());
}

#[tokio::test]
async fn a_second_migration_changes_nothing() {
    let cloud = Cloud::new().await;
    assert_eq!(cloud.watch.invoke("migrate", "{}").unwrap(), json!({"verdict": "done"}));
    assert_eq!(cloud.watch.invoke("migrate", "{}").unwrap(), json!({"verdict": "done"}));
}

#[tokio::test]
async fn plain_requests_reach_the_functions_by_their_routes_and_problems_come_back() {
    let cloud = Cloud::new().await;
    let http = reqwest::Client::new();
    let key = cloud.world.tenant.key(Role::Lead);
    let get = |path: &str| http.get(cloud.watch.url(path)).bearer_auth(key).send();
    let ready = get("/ready").await.unwrap();
    assert_eq!(
        (ready.status().as_u16(), ready.json::<Value>().await.unwrap()["status"].clone()),
        (200, json!("ready"))
    );
    let document: Value = get("/openapi.json").await.unwrap().json().await.unwrap();
    assert!(document["paths"]["/api/v1/sessions/{id}/start"].is_object());
    let unknown = get(&format!("/api/v1/sessions/{}", SessionId::new())).await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert_eq!(unknown.headers()["content-type"], "application/problem+json");
    assert_eq!(unknown.json::<Value>().await.unwrap()["code"], "SESSION_NOT_FOUND");
    let wrong = http.put(cloud.watch.url("/api/v1/sessions")).bearer_auth(key).send().await.unwrap();
    assert_eq!((wrong.status().as_u16(), wrong.headers().contains_key("allow")), (405, true));
}

#[tokio::test]
async fn a_session_runs_to_its_end_through_functions_alone() {
    let cloud = Cloud::new().await;
    let event = cloud.fill(include_str!("../../events/create-session.json"), "");
    let id = body(&cloud.watch.invoke("sessions", &event).unwrap())["id"].as_str().unwrap().to_owned();
    let caller = cloud.world.caller(Role::Lead);
    for _ in 0..200 {
        for (queue_name, function) in [(QueueName::Dispatch, "dispatch"), (QueueName::Observe, "observe")] {
            let taken = cloud.queue.receive(queue_name, 10, std::time::Duration::from_millis(1)).await.unwrap();
            for delivery in taken {
                let record = json!({"Records": [{
                    "messageId": "one", "receiptHandle": "none", "body": delivery.body(),
                    "attributes": {"ApproximateReceiveCount": delivery.receive_count.to_string()},
                }]});
                let answer = cloud.watch.invoke(function, &record.to_string()).unwrap();
                assert_eq!(answer["batchItemFailures"], json!([]), "{}", cloud.watch.log());
                cloud.queue.delete(&delivery.receipt).await.unwrap();
            }
        }
        let session = caller.session(&id).await;
        if session["status"] == "completed" {
            assert_eq!(caller.states(&id).await, ["queued", "running", "completed"]);
            return;
        }
    }
    panic!("it never ended: {:#}", caller.session(&id).await);
}

#[test]
fn a_job_in_the_events_is_one_that_the_code_reads() {
    let id = "0193c0de-0000-7000-8000-000000000000";
    let event = include_str!("../../events/dispatch-batch.json").replace("$IOC_TENANT", id).replace("$SESSION", id);
    let event: Value = serde_json::from_str(&event).unwrap();
    let job: Job = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(job.queue_name(), QueueName::Dispatch);
}
