//! Sessions in an experiment: which arm they run on, that it is kept, and that each end counts once.

use std::collections::BTreeSet;

use harness::{Caller, TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{PATH, started, two_versions};

struct Setup {
    world: TestApp,
    caller: Caller,
    lead: Caller,
    owner: Superuser,
}

async fn setup() -> Setup {
    let world = TestApp::new().await;
    let (caller, lead, owner) = (world.caller(Role::Member), world.caller(Role::Lead), world.superuser().await);
    two_versions(&lead).await;
    Setup { world, caller, lead, owner }
}

impl Setup {
    /// Runs a session to its end.
    async fn run(&self, model: &str, script: Value) -> Value {
        let config = json!({"agent": "scripted", "script": script});
        let id = self.caller.start_session(json!({"agent_config": config, "model_identifier": model})).await;
        self.caller.reaches(&id, &["completed", "partially_completed", "failed"]).await
    }

    async fn rows(&self) -> Vec<String> {
        let sql = "select r.arm || ' ' || r.success || ' ' || r.cost_micros || ' ' || r.tokens from experiment_results r order by at";
        self.owner.texts(sql).await
    }
}

const SPEND: &str = r#"[{"do": "spend", "tokens_input": 10, "tokens_output": 5, "cost_micros": 3000}]"#;

#[tokio::test]
async fn sessions_that_name_the_target_are_assigned_an_arm_and_their_ends_are_counted() {
    let setup = setup().await;
    let id = started(&setup.lead, "one", json!({})).await;
    let mut arms = BTreeSet::new();
    for _ in 0..8 {
        let session = setup.run("registry/coder@champion", serde_json::from_str(SPEND).unwrap()).await;
        let resolved = &session["resolved_model"];
        let (part, identifier) = (&resolved["experiment"], resolved["model_identifier"].as_str().unwrap());
        assert_eq!((&part["id"], &part["name"]), (&json!(id), &json!("one")));
        let expected = if part["arm"] == "control" { "served/coder-1.0.0" } else { "served/coder-1.1.0" };
        assert_eq!(identifier, expected);
        let assigned =
            format!("select arm from experiment_assignments where session_id = '{}'", session["id"].as_str().unwrap());
        assert_eq!(setup.owner.texts(&assigned).await, [part["arm"].as_str().unwrap()]);
        arms.insert(part["arm"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        arms.len(),
        2,
        "eight of eight on one arm comes once in 128 runs of this; the salt is drawn anew each time"
    );
    let rows = setup.rows().await;
    assert_eq!(rows.len(), 8);
    assert!(rows.iter().all(|row| row.ends_with(" 1 3000 15")), "{rows:?}");
    let results = setup.world.caller(Role::Viewer).get(&format!("{PATH}/{id}/results")).await.expect(200);
    let sessions: i64 = results["arms"].as_array().unwrap().iter().map(|arm| arm["sessions"].as_i64().unwrap()).sum();
    assert_eq!(sessions, 8);
    setup.lead.act(&format!("{PATH}/{id}/stop")).await.expect(200);
    let session = setup.run("registry/coder@champion", json!([])).await;
    assert_eq!(session["resolved_model"]["experiment"], Value::Null, "after the stop the alias is what it was");
    assert_eq!(setup.rows().await.len(), 8);
}

#[tokio::test]
async fn a_tree_of_sessions_stays_on_one_arm() {
    let setup = setup().await;
    started(&setup.lead, "one", json!({})).await;
    let config = json!({"agent": "scripted", "script": []});
    let fields = json!({"agent_config": config, "model_identifier": "registry/coder@champion"});
    let root = setup.caller.start_session(fields.clone()).await;
    let arm = setup.caller.reaches(&root, &["completed"]).await["resolved_model"]["experiment"]["arm"].clone();
    for _ in 0..6 {
        let mut fields = fields.clone();
        fields["parent_id"] = json!(root);
        let child = setup.caller.start_session(fields).await;
        let child = setup.caller.reaches(&child, &["completed"]).await;
        assert_eq!(child["resolved_model"]["experiment"]["arm"], arm);
    }
    let results = setup.lead.get("/api/v1/experiments").await.expect(200);
    let id = results["items"][0]["id"].as_str().unwrap();
    let results = setup.lead.get(&format!("{PATH}/{id}/results")).await.expect(200);
    let of_arm = results["arms"].as_array().unwrap().iter().find(|one| one["name"] == arm).unwrap().clone();
    assert_eq!((&of_arm["trees"], &of_arm["sessions"]), (&json!(1), &json!(7)));
}

#[tokio::test]
async fn a_session_may_name_the_experiment_itself_while_it_runs() {
    let setup = setup().await;
    let arms = json!([{"name": "a", "model": "plain/one"}, {"name": "b", "model": "plain/two"}]);
    let id = started(&setup.lead, "plain", json!({"target": null, "arms": arms})).await;
    let session = setup.run("experiment/plain", json!([])).await;
    let resolved = &session["resolved_model"];
    assert_eq!(
        resolved["model_identifier"],
        if resolved["experiment"]["arm"] == "a" { "plain/one" } else { "plain/two" }
    );
    let body = |model: &str| json!({"title": "Fix the parser", "initial_prompt": "Do it.", "model_identifier": model});
    setup.caller.post("/sessions", body("experiment/other")).await.problem(422, "VALIDATION_FAILED");
    setup.caller.post("/sessions", body("experiment/")).await.problem(422, "VALIDATION_FAILED");
    let waiting = setup
        .caller
        .new_session(json!({"agent_config": {"agent": "scripted"}, "model_identifier": "experiment/plain"}))
        .await;
    setup.lead.act(&format!("{PATH}/{id}/stop")).await.expect(200);
    setup.caller.act(&format!("/sessions/{waiting}/start")).await.expect(202);
    let failed = setup.caller.reaches(&waiting, &["failed"]).await;
    assert_eq!(failed["outcome"]["error"]["code"], "MODEL_NOT_RESOLVED");
    assert!(failed["outcome"]["error"]["remedy"].as_str().unwrap().contains("Start the experiment"));
    assert_eq!(setup.rows().await.len(), 1);
}

#[tokio::test]
async fn only_sessions_of_the_experiments_type_take_part() {
    let setup = setup().await;
    started(&setup.lead, "reviews", json!({"session_type": "review"})).await;
    let config = json!({"agent": "scripted", "script": []});
    for (session_type, takes_part) in [("review", true), ("execution", false)] {
        let fields = json!({"agent_config": config, "model_identifier": "registry/coder@champion", "session_type": session_type});
        let id = setup.caller.start_session(fields).await;
        let session = setup.caller.reaches(&id, &["completed"]).await;
        assert_eq!(session["resolved_model"]["experiment"].is_object(), takes_part, "{session_type}");
    }
}

#[tokio::test]
async fn only_the_first_end_of_a_session_counts_and_only_if_it_reflects_on_the_model() {
    let setup = setup().await;
    started(&setup.lead, "one", json!({})).await;
    let fail = |category: &str| json!({"do": "fail", "category": category, "message": "It broke."});
    let write = json!({"do": "write", "path": "a.rs", "content": "a"});
    setup.run("registry/coder@champion", json!([fail("user")])).await;
    assert_eq!(setup.rows().await.len(), 0);
    setup.run("registry/coder@champion", json!([{"do": "partial", "message": "half"}])).await;
    let failed =
        setup.run("registry/coder@champion", json!([write, fail("agent"), {"do": "say", "text": "Done."}])).await;
    let id = failed["id"].as_str().unwrap();
    let first = setup.rows().await;
    assert_eq!(first.len(), 2);
    assert!(first[0].contains(" 0.5 ") && first[1].contains(" 0 "), "{first:?}");
    setup.caller.act(&format!("/sessions/{id}/retry")).await.expect(202);
    let retried = setup.caller.reaches(id, &["completed", "failed"]).await;
    assert_eq!(retried["resolved_model"]["experiment"]["arm"], failed["resolved_model"]["experiment"]["arm"]);
    assert_eq!(setup.rows().await, first);
}

#[tokio::test]
async fn an_experiment_assigns_no_sessions_of_another_tenant() {
    let setup = setup().await;
    started(&setup.lead, "one", json!({})).await;
    let other = setup.world.another_tenant().await;
    let (lead, member) = (setup.world.caller_of(&other, Role::Lead), setup.world.caller_of(&other, Role::Member));
    two_versions(&lead).await;
    let config = json!({"agent": "scripted", "script": []});
    let id = member.start_session(json!({"agent_config": config, "model_identifier": "registry/coder@champion"})).await;
    let session = member.reaches(&id, &["completed"]).await;
    assert_eq!(session["resolved_model"]["experiment"], Value::Null);
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "model_identifier": "experiment/one"});
    member.post("/sessions", body).await.problem(422, "VALIDATION_FAILED");
}
