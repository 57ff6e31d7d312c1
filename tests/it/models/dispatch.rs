//! Sessions that name a model of the registry: resolved when they are dispatched, recorded, and anew only by a retry.

use harness::{
    Caller, TestApp,
    eap_agent::{EapAgent, result},
};
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{archive, put, version};

struct Setup {
    world: TestApp,
    caller: Caller,
    lead: Caller,
    agent: EapAgent,
}

/// A model with two versions, the first of them champion, and an agent that reports the model it is given.
async fn setup() -> Setup {
    let world = TestApp::new().await;
    let (caller, lead, agent) = (world.caller(Role::Member), world.caller(Role::Lead), world.puller("BUILDER").await);
    for number in ["1.0.0", "1.1.0"] {
        version(&lead, "coder", number).await;
    }
    put(&lead, "coder", "champion", "1.0.0").await.expect(200);
    Setup { world, caller, lead, agent }
}

impl Setup {
    async fn start(&self, model: &str) -> String {
        self.caller.start_session(json!({"agent_config": {"agent": "BUILDER"}, "model_identifier": model})).await
    }

    async fn make(&self, model: &str) -> String {
        self.caller.new_session(json!({"agent_config": {"agent": "BUILDER"}, "model_identifier": model})).await
    }

    async fn begin(&self, id: &str) {
        self.caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    }
}

#[tokio::test]
async fn a_session_runs_on_the_version_that_its_alias_points_at_when_it_is_dispatched() {
    let setup = setup().await;
    let id = setup.make("registry/coder@champion").await;
    assert_eq!(setup.caller.session(&id).await["resolved_model"], Value::Null);
    put(&setup.lead, "coder", "champion", "1.1.0").await.expect(200);
    setup.begin(&id).await;
    let task = setup.agent.task().await;
    assert_eq!(task["requirements"]["model"], "served/coder-1.1.0");
    // An alias that moves while it runs is nothing to it.
    put(&setup.lead, "coder", "champion", "1.0.0").await.expect(200);
    assert_eq!(setup.agent.result(&task, result(&task, "Done.")).await.status, 202);
    let session = setup.caller.reaches(&id, &["completed"]).await;
    let resolved = &session["resolved_model"];
    assert_eq!(session["model_identifier"], "registry/coder@champion");
    assert_eq!(
        (&resolved["name"], &resolved["version"], &resolved["alias"]),
        (&json!("coder"), &json!("1.1.0"), &json!("champion"))
    );
    assert_eq!(resolved["model_identifier"], "served/coder-1.1.0");
    let events = setup.caller.events(&id).await;
    let reported: Vec<_> = events.iter().filter_map(|one| one["payload"]["changed"].get("resolved_model")).collect();
    assert_eq!(reported, [resolved], "reported once");
}

#[tokio::test]
async fn a_session_may_name_a_version_itself() {
    let setup = setup().await;
    setup.start("registry/coder@1.1.0").await;
    assert_eq!(setup.agent.task().await["requirements"]["model"], "served/coder-1.1.0");
}

#[tokio::test]
async fn a_session_with_an_unknown_model_reference_is_refused() {
    let setup = setup().await;
    archive(&setup.lead, "coder", "1.1.0", true).await.expect(200);
    setup.lead.post("/api/v1/models", json!({"name": "unserved", "base_model": "a"})).await.expect(201);
    for model in [
        "registry/nobody@champion",
        "registry/coder@other",
        "registry/coder@7.0.0",
        "registry/coder@1.1.0",
        "registry/unserved@1.0.0",
        "registry/coder",
        "registry/coder@",
    ] {
        let body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "model_identifier": model});
        let problem = setup.caller.post("/sessions", body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "model_identifier", "{model}");
    }
    let other = setup.world.another_tenant().await;
    let body =
        json!({"title": "Fix the parser", "initial_prompt": "Do it.", "model_identifier": "registry/coder@champion"});
    setup.world.caller_of(&other, Role::Member).post("/sessions", body).await.problem(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_removed_alias_fails_its_session_with_a_remedy_and_a_retry_resolves_again() {
    let setup = setup().await;
    let id = setup.make("registry/coder@champion").await;
    setup.lead.delete("/api/v1/models/coder/aliases/champion").await;
    setup.begin(&id).await;
    let failed = setup.caller.reaches(&id, &["failed"]).await;
    let error = &failed["outcome"]["error"];
    assert_eq!((&error["code"], &error["category"]), (&json!("MODEL_NOT_RESOLVED"), &json!("user")));
    assert!(error["message"].as_str().unwrap().contains("registry/coder@champion leads to nothing"), "{error}");
    assert!(error["remedy"].as_str().unwrap().contains("point the alias at one"), "{error}");
    assert_eq!(setup.agent.claim(0).await.status, 204, "no agent had it");
    put(&setup.lead, "coder", "champion", "1.1.0").await.expect(200);
    setup.caller.post(&format!("/sessions/{id}/retry"), json!({"start": false})).await.expect(202);
    setup.begin(&id).await;
    assert_eq!(setup.agent.task().await["requirements"]["model"], "served/coder-1.1.0");
    let session = setup.caller.session(&id).await;
    assert_eq!(session["resolved_model"]["version"], "1.1.0");
}

#[tokio::test]
async fn a_retry_resolves_the_alias_again_and_refuses_an_archived_version() {
    let setup = setup().await;
    let id = setup.start("registry/coder@champion").await;
    let task = setup.agent.task().await;
    assert_eq!(task["requirements"]["model"], "served/coder-1.0.0");
    setup.caller.reaches(&id, &["running"]).await;
    setup.caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    setup.caller.reaches(&id, &["stopped"]).await;
    put(&setup.lead, "coder", "champion", "1.1.0").await.expect(200);
    let pending = setup.caller.post(&format!("/sessions/{id}/retry"), json!({"start": false})).await.expect(202);
    assert_eq!(pending["resolved_model"], Value::Null);
    setup.begin(&id).await;
    setup.agent.task().await;
    harness::until(async || setup.caller.session(&id).await["resolved_model"]["version"] == "1.1.0").await;
    let named = setup.make("registry/coder@1.0.0").await;
    archive(&setup.lead, "coder", "1.0.0", true).await.expect(200);
    setup.begin(&named).await;
    let failed = setup.caller.reaches(&named, &["failed"]).await;
    assert_eq!(failed["outcome"]["error"]["code"], "MODEL_NOT_RESOLVED");
    assert!(failed["outcome"]["error"]["message"].as_str().unwrap().contains("archived"));
}

#[tokio::test]
async fn a_resumed_session_keeps_the_model_that_it_started_with() {
    let world = TestApp::new().await;
    let (caller, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    version(&lead, "coder", "1.0.0").await;
    version(&lead, "coder", "1.1.0").await;
    put(&lead, "coder", "champion", "1.0.0").await.expect(200);
    let script = json!([{"do": "wait", "ms": 600_000}]);
    let config = json!({"agent": "scripted", "script": script});
    let id = caller.start_session(json!({"agent_config": config, "model_identifier": "registry/coder@champion"})).await;
    harness::until(async || caller.session(&id).await["resolved_model"].is_object()).await;
    caller.act(&format!("/sessions/{id}/pause")).await.expect(202);
    caller.reaches(&id, &["paused"]).await;
    put(&lead, "coder", "champion", "1.1.0").await.expect(200);
    caller.act(&format!("/sessions/{id}/resume")).await.expect(202);
    let session = caller.reaches(&id, &["running"]).await;
    assert_eq!(session["resolved_model"]["version"], "1.0.0");
}
