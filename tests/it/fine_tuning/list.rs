//! `GET /fine-tuning/jobs`.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn jobs_are_listed_newest_first_and_filtered_by_state_provider_and_name() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let mut ids = Vec::new();
    for (base, name, provider) in
        [("tiny", "reviewer", "simulated"), ("gpt-4o-mini", "helper", "openai"), ("tiny", "helper", "simulated")]
    {
        let fields = json!({"base_model": base, "target_model_name": name, "provider": provider});
        ids.push(lead.new_training(fields).await);
    }
    lead.act(&format!("/fine-tuning/jobs/{}/cancel", ids[2])).await.expect(202);
    let listed = async |query: &str| {
        let page = world.caller(Role::Viewer).get(&format!("/fine-tuning/jobs{query}")).await.expect(200);
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [first, second, third] = [&ids[0], &ids[1], &ids[2]].map(Clone::clone);
    assert_eq!(listed("").await, [third.clone(), second.clone(), first.clone()]);
    assert_eq!(listed("?status=cancelled").await, std::slice::from_ref(&third));
    assert_eq!(listed("?status=pending,cancelled&provider=simulated").await, [third.clone(), first.clone()]);
    assert_eq!(listed("?q=HELP").await, [third.clone(), second.clone()]);
    assert_eq!(listed("?q=4o").await, std::slice::from_ref(&second));
    assert_eq!(listed("?q=%25").await, Vec::<String>::new());
    let page = lead.get("/fine-tuning/jobs?limit=2").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(listed(&format!("?limit=2&cursor={cursor}")).await, [first]);
}

#[tokio::test]
async fn wrong_filters_are_named_all_at_once() {
    let world = TestApp::full().await;
    let query = "?status=done&provider=magic&limit=0&cursor=x";
    let reply = world.caller(Role::Viewer).get(&format!("/fine-tuning/jobs{query}")).await;
    let problem = reply.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 4, "{problem}");
}
