//! The switch of a tenant: without it nothing of its sessions becomes training data.

use harness::{TestApp, samples::prose};
use serde_json::json;
use shared::{
    identity::auth::Role,
    kernel::id::TrainingJobId,
    training::datasets::{CurationOutcome, Recipe},
};

use super::DATASETS;

#[tokio::test]
async fn training_consent_is_off_until_a_lead_gives_it_and_is_audited() {
    let world = TestApp::full().await;
    let (member, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    assert_eq!(member.get("/api/v1/tenant").await.expect(200)["training_consent"], false);
    member.patch("/api/v1/tenant", json!({"training_consent": true})).await.problem(403, "FORBIDDEN");
    let reply = lead.with("if-match", "\"1\"").patch("/api/v1/tenant", json!({"training_consent": true})).await;
    assert_eq!(reply.headers["etag"], "\"2\"");
    assert_eq!(reply.expect(200)["training_consent"], true);
    let stale = lead.with("if-match", "\"1\"").patch("/api/v1/tenant", json!({"training_consent": false})).await;
    stale.problem(412, "VERSION_MISMATCH");
    lead.patch("/api/v1/tenant", json!({"max_concurrent_sessions": 99})).await.problem(422, "VALIDATION_FAILED");
    let entry = lead.get("/api/v1/audit").await.expect(200)["items"][0].clone();
    assert_eq!((&entry["action"], &entry["before"]), (&json!("tenant.update"), &json!({"training_consent": false})));
    assert_eq!(entry["after"], json!({"training_consent": true}));
}

#[tokio::test]
async fn an_admin_reads_and_sets_training_consent_for_any_tenant() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin);
    let body = json!({"name": "Another", "slug": "another", "training_consent": true});
    let made = admin.post("/api/v1/tenants", body).await.expect(201);
    assert_eq!(made["training_consent"], true);
    let place = format!("/api/v1/tenants/{}", made["id"].as_str().unwrap());
    admin.patch(&place, json!({"training_consent": false})).await.expect(200);
    let list = admin.get("/api/v1/tenants?q=another").await.expect(200);
    assert_eq!(list["items"][0]["training_consent"], false);
}

#[tokio::test]
async fn without_consent_curation_is_refused_with_a_reason_and_not_as_a_fault() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    caller.answered(&owner, json!({}), &prose(1)).await;
    let refused = world.curated(TrainingJobId::new(), &Recipe::default()).await;
    let CurationOutcome::Refused(failure) = refused else { panic!("{refused:?}") };
    assert_eq!((failure.code.as_str(), failure.retryable), ("NO_CONSENT", false));
    assert!(failure.remedy.contains("training_consent"));
    let problem =
        world.caller(Role::Lead).post(&format!("{DATASETS}/preview"), json!({})).await.problem(409, "NO_CONSENT");
    assert_eq!(problem["remedy"], failure.remedy);
    assert_eq!(owner.number("select count(*) from datasets").await, 0);
}

#[tokio::test]
async fn consent_withdrawn_during_curation_takes_effect() {
    let (world, owner, _) = super::with_samples(2).await;
    let waiting = super::deletion::held(&world, &owner).await;
    let recipe = Recipe::default();
    let making = world.curated(TrainingJobId::new(), &recipe);
    let withdrawing = async {
        waiting.waits().await;
        owner.run("update tenants set training_consent = false").await;
        waiting.release().await;
    };
    let (made, ()) = tokio::join!(making, withdrawing);
    let code = |curated: CurationOutcome| match curated {
        CurationOutcome::Refused(failure) => failure.code,
        CurationOutcome::Made(dataset) => panic!("{dataset:?}"),
    };
    assert_eq!(code(made), "NO_CONSENT");
    assert_eq!(owner.number("select count(*) from datasets").await, 0);
}
