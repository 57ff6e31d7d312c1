//! `GET /fine-tuning/jobs/{id}/curve`.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

#[tokio::test]
async fn the_loss_curve_falls_and_is_thinned_evenly_when_long() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let id = lead.train(json!({"duration_seconds": 0.2, "steps": 1000})).await;
    lead.trains(&id, &["completed"]).await;
    let curve = async |query: &str| lead.get(&format!("/fine-tuning/jobs/{id}/curve{query}")).await.expect(200);
    let steps = |curve: &Value| -> Vec<i64> {
        curve["items"].as_array().unwrap().iter().map(|point| point["step"].as_i64().unwrap()).collect()
    };
    let all = curve("?points=2000").await;
    assert_eq!((&all["total"], &all["attempt"]), (&json!(1001), &json!(1)));
    assert_eq!(steps(&all), (0..=1000).collect::<Vec<_>>());
    let loss = |at: usize| all["items"][at]["loss"].as_f64().unwrap();
    assert!(loss(0) > 2.0 && loss(1000) < 0.7, "{} to {}", loss(0), loss(1000));
    let thinned = curve("?points=11").await;
    assert_eq!(steps(&thinned), (0..=10).map(|n| 100 * n).collect::<Vec<_>>());
    assert_eq!(steps(&curve("").await).len(), 500);
    assert_eq!(steps(&curve("?points=2").await), [0, 1000]);
    for wrong in ["points=1", "points=2001", "attempt=0", "attempt=2", "attempt=x"] {
        let reply = lead.get(&format!("/fine-tuning/jobs/{id}/curve?{wrong}")).await;
        reply.problem(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn a_job_that_was_never_trained_has_an_empty_curve() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let id = lead.new_training(json!({})).await;
    let curve = lead.get(&format!("/fine-tuning/jobs/{id}/curve")).await.expect(200);
    assert_eq!(curve, json!({"attempt": 1, "items": [], "total": 0}));
}
