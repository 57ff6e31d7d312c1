//! `POST /experiments`, `GET /experiments`, `GET /experiments/{id}`.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{PATH, made, started, two_versions};

#[tokio::test]
async fn an_experiment_is_created_as_a_draft_listed_and_shown() {
    let world = TestApp::full().await;
    let (lead, viewer) = (world.caller(Role::Lead), world.caller(Role::Viewer));
    two_versions(&lead).await;
    let guardrails = json!([{"metric": "cost_usd", "limit": 0.5}]);
    let id = made(&lead, "first", json!({"guardrails": guardrails, "session_type": "review"})).await;
    let shown = viewer.get(&format!("{PATH}/{id}")).await.expect(200);
    assert_eq!((&shown["status"], &shown["session_type"]), (&json!("draft"), &json!("review")));
    assert_eq!(shown["guardrails"], json!([{"metric": "cost_usd", "limit": 0.5, "min_sessions": 20}]));
    assert_eq!((&shown["arms"][1]["weight"], &shown["arms"][1]["runs_on"]), (&json!(1), &Value::Null));
    assert!(!shown.to_string().contains("salt"), "who knows it could choose an arm");
    let second = started(&lead, "second", json!({})).await;
    let all = viewer.get(&format!("{PATH}?limit=1")).await.expect(200);
    assert_eq!(all["items"][0]["id"], json!(second));
    let rest = viewer.get(&format!("{PATH}?cursor={}", all["next_cursor"].as_str().unwrap())).await.expect(200);
    assert_eq!((&rest["items"][0], &rest["next_cursor"]), (&shown, &Value::Null));
    let running = viewer.get(&format!("{PATH}?status=running,stopped")).await.expect(200);
    assert_eq!(running["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_invalid_experiment_is_refused_with_every_fault_and_not_created() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    two_versions(&lead).await;
    made(&lead, "taken", json!({})).await;
    let before = owner.dump().await;
    let arm = |name: &str, model: &str| json!({"name": name, "model": model});
    let refused = async |body: Value| {
        let problem = lead.post(PATH, body).await.problem(422, "VALIDATION_FAILED");
        problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["field"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let body = json!({"name": "one", "arms": [arm("a", "registry/coder@7.0.0"), arm("b", "registry/nobody@x")], "target": "registry/coder@other"});
    assert_eq!(refused(body).await, ["target", "arms[0].model", "arms[1].model"]);
    assert_eq!(refused(json!({"name": "one", "arms": [arm("a", "a/b")]})).await, ["arms"]);
    let body = json!({"name": "one", "arms": [arm("a", "a/b"), arm("a", "experiment/x")]});
    assert_eq!(refused(body).await, ["arms[1].model", "arms[1].name"]);
    let body = json!({"name": "taken", "arms": [arm("a", "a/b"), arm("b", "a/c")]});
    lead.post(PATH, body).await.problem(409, "ALREADY_EXISTS");
    assert_eq!(owner.dump().await, before);
}
