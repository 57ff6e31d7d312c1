//! `GET /experiments/{id}/results`, and what the reconciler decides by them: guardrails and winners.

use harness::{Caller, TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::{app::reconciler::reconcile, identity::auth::Role};

use super::{PATH, ends, started, two_versions};

struct Setup {
    world: TestApp,
    lead: Caller,
    owner: Superuser,
    id: String,
}

async fn setup(fields: Value) -> Setup {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    two_versions(&lead).await;
    let id = started(&lead, "one", fields).await;
    Setup { world, lead, owner, id }
}

impl Setup {
    async fn results(&self) -> Value {
        self.world.caller(Role::Viewer).get(&format!("{PATH}/{}/results", self.id)).await.expect(200)
    }

    async fn shown(&self) -> Value {
        self.lead.get(&format!("{PATH}/{}", self.id)).await.expect(200)
    }

    async fn audited(&self, action: &str) -> Vec<Value> {
        let entries = self.lead.get(&format!("/api/v1/audit?action={action}")).await.expect(200);
        entries["items"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn an_experiment_without_sessions_has_no_result_and_no_conclusion() {
    let setup = setup(json!({})).await;
    let results = setup.results().await;
    assert_eq!(results["arms"][0]["success_rate"], Value::Null);
    assert_eq!(results["arms"][0]["success_interval"], json!({"low": 0.0, "high": 1.0, "confidence": 0.95}));
    assert_eq!((&results["winner"], &results["comparisons"]), (&Value::Null, &json!([])));
    assert_eq!(results["sample_ratio"], json!({"p_value": 1.0, "mismatch": false}));
    reconcile(&setup.world.app).await.unwrap();
    assert_eq!(setup.shown().await["version"], 2, "a look that shows nothing changes nothing");
}

#[tokio::test]
async fn a_real_difference_yields_one_winner_once_and_is_audited() {
    let setup = setup(json!({})).await;
    ends(&setup.owner, &setup.id, "control", 400, 200).await;
    ends(&setup.owner, &setup.id, "treatment", 410, 328).await;
    let results = setup.results().await;
    let treatment = &results["arms"][1];
    assert_eq!((&treatment["trees"], &treatment["sessions"]), (&json!(410), &json!(410)));
    assert_eq!((&treatment["success_rate"], &treatment["cost_usd"]), (&json!(0.8), &json!("0.030000")));
    assert_eq!((&treatment["duration_seconds"], &treatment["tokens"]), (&json!(60.0), &json!(1000.0)));
    let compared = &results["comparisons"][0];
    assert_eq!(
        (&compared["a"], &compared["b"], &compared["pairs"]),
        (&json!("control"), &json!("treatment"), &json!(400))
    );
    assert!((compared["difference"].as_f64().unwrap() - 0.3).abs() < 0.01, "{compared}");
    assert!(
        compared["interval"]["low"].as_f64().unwrap() > 0.15 && compared["interval"]["high"].as_f64().unwrap() < 0.45,
        "{compared}"
    );
    assert_eq!((&compared["better"], &results["winner"]), (&json!("treatment"), &json!("treatment")));
    assert_eq!(setup.shown().await["winner"], Value::Null, "reading changes nothing");
    reconcile(&setup.world.app).await.unwrap();
    reconcile(&setup.world.app).await.unwrap();
    let shown = setup.shown().await;
    assert_eq!((&shown["winner"], &shown["status"]), (&json!("treatment"), &json!("running")));
    let entries = setup.audited("experiment.call_winner").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (&entries[0]["actor"]["kind"], &entries[0]["after"]),
        (&json!("system"), &json!({"winner": "treatment"}))
    );
}

#[tokio::test]
async fn equal_arms_have_no_winner_and_an_uneven_split_is_reported() {
    let setup = setup(json!({})).await;
    ends(&setup.owner, &setup.id, "control", 300, 150).await;
    ends(&setup.owner, &setup.id, "treatment", 300, 155).await;
    let results = setup.results().await;
    assert_eq!((&results["winner"], &results["sample_ratio"]["mismatch"]), (&Value::Null, &json!(false)));
    ends(&setup.owner, &setup.id, "treatment", 300, 300).await;
    let results = setup.results().await;
    assert_eq!((&results["winner"], &results["sample_ratio"]["mismatch"]), (&Value::Null, &json!(true)));
    assert!(results["warnings"][0].as_str().unwrap().contains("nothing can be concluded"));
    reconcile(&setup.world.app).await.unwrap();
    assert_eq!(setup.shown().await["winner"], Value::Null);
}

#[tokio::test]
async fn an_arm_that_breaks_a_guardrail_is_stopped_and_the_others_take_its_share() {
    let setup = setup(json!({"guardrails": [{"metric": "success_rate", "limit": 0.6, "min_sessions": 30}]})).await;
    ends(&setup.owner, &setup.id, "control", 29, 0).await;
    ends(&setup.owner, &setup.id, "treatment", 29, 25).await;
    reconcile(&setup.world.app).await.unwrap();
    assert_eq!(setup.shown().await["arms"][0]["stopped_at"], Value::Null, "29 sessions are too few");
    ends(&setup.owner, &setup.id, "control", 1, 0).await;
    reconcile(&setup.world.app).await.unwrap();
    reconcile(&setup.world.app).await.unwrap();
    let shown = setup.shown().await;
    assert!(shown["arms"][0]["stopped_at"].is_string());
    assert_eq!(shown["arms"][0]["stopped_why"], "success_rate is 0.0000 after 30 sessions, below the limit of 0.6");
    assert_eq!((&shown["arms"][1]["stopped_at"], &shown["status"]), (&Value::Null, &json!("running")));
    let entries = setup.audited("experiment.stop_arm").await;
    assert_eq!((entries.len(), &entries[0]["actor"]["kind"]), (1, &json!("system")));
    assert_eq!(setup.results().await["arms"][0]["stopped"], true);
    let world = TestApp::on(setup.world.database.clone(), harness::Options::default()).await;
    let other = TestApp::caller_of(&world, &setup.world.tenant, Role::Member);
    setup
        .owner
        .run(&format!("update tenants set max_concurrent_sessions = 10 where id = '{}'", setup.world.tenant.id))
        .await;
    let mut world = world;
    world.work();
    for _ in 0..6 {
        let config = json!({"agent": "scripted", "script": []});
        let id =
            other.start_session(json!({"agent_config": config, "model_identifier": "registry/coder@champion"})).await;
        let session = other.reaches(&id, &["completed"]).await;
        assert_eq!(session["resolved_model"]["experiment"]["arm"], "treatment");
    }
}

#[tokio::test]
async fn when_every_arm_breaks_a_guardrail_the_experiment_ends() {
    let setup = setup(json!({"guardrails": [{"metric": "cost_usd", "limit": 0.01, "min_sessions": 5}]})).await;
    ends(&setup.owner, &setup.id, "control", 6, 6).await;
    ends(&setup.owner, &setup.id, "treatment", 6, 6).await;
    reconcile(&setup.world.app).await.unwrap();
    let shown = setup.shown().await;
    assert_eq!((&shown["status"], &shown["stop_reason"]), (&json!("stopped"), &json!("every arm broke a guardrail")));
    assert_eq!(setup.audited("experiment.stop").await.len(), 1);
    let entries = setup.audited("experiment.stop_arm").await;
    assert!(
        entries[0]["after"]["why"]
            .as_str()
            .unwrap()
            .contains("cost_usd is 0.0300 after 6 sessions, above the limit of 0.01")
    );
}
