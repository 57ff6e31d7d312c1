//! `GET /sessions/{id}/tree`, and the limits of trees.

use harness::{TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::identity::auth::Role;

#[tokio::test]
async fn a_session_tree_is_at_most_ten_deep() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let mut parent = Value::Null;
    for depth in 1..=10 {
        let id = caller.new_session(json!({"parent_id": parent})).await;
        assert_eq!(caller.session(&id).await["depth"], depth);
        parent = json!(id);
    }
    let before = owner.dump().await;
    let body = json!({"title": "Too deep", "initial_prompt": "Do it.", "parent_id": parent});
    let problem = caller.post("/sessions", body).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "parent_id");
    assert_eq!(owner.dump().await, before, "the count of children and the size of the tree stay");
}

#[tokio::test]
async fn a_session_tree_has_at_most_500_sessions_even_under_concurrency() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let root = caller.new_session(json!({})).await;
    let child = caller.new_session(json!({"parent_id": root})).await;
    owner.run("update sessions set tree_size = 497 where parent_id is null").await;
    let body = |parent: &str| json!({"title": "One more", "initial_prompt": "Do it.", "parent_id": parent});
    let places = (0..10).map(|n| caller.post("/sessions", body(if n % 2 == 0 { &root } else { &child })));
    let replies = futures_util::future::join_all(places).await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!((made.len(), refused.len()), (3, 7));
    for reply in refused {
        assert_eq!(reply.problem(422, "VALIDATION_FAILED")["errors"][0]["field"], "parent_id");
    }
    let made = made[0].json()["id"].as_str().unwrap().to_owned();
    caller.delete(&format!("/sessions/{made}")).await.expect(204);
    caller.post("/sessions", body(&root)).await.expect(201);
}

/// Sets what a session cost.
async fn cost(owner: &Superuser, id: &str, micros: i64) {
    owner.run(&format!("update sessions set cost_micros = {micros}, tokens_input = 1 where id = '{id}'")).await;
}

#[tokio::test]
async fn a_tree_shows_every_descendant_and_the_cost_of_each_branch() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let child_of = async |parent: Value| caller.new_session(json!({"parent_id": parent})).await;
    let root = child_of(Value::Null).await;
    let (a, b) = (child_of(json!(root)).await, child_of(json!(root)).await);
    let (a1, a2) = (child_of(json!(a)).await, child_of(json!(a)).await);
    for (id, micros) in [(&root, 1), (&a, 10), (&b, 100), (&a1, 1000), (&a2, 10_000)] {
        cost(&owner, id, micros).await;
    }
    let tree = caller.get(&format!("/sessions/{root}/tree")).await.expect(200);
    let leaf = |id: &str, parent: &str, depth: i32, cost: &str| {
        json!({"id": id, "parent_id": parent, "title": "Fix the parser", "status": "pending", "depth": depth,
               "tokens": 1, "cost_usd": cost, "total_cost_usd": cost, "children": []})
    };
    let mut expected_a = leaf(&a, &root, 2, "0.000010");
    expected_a["total_cost_usd"] = json!("0.011010");
    expected_a["children"] = json!([leaf(&a1, &a, 3, "0.001000"), leaf(&a2, &a, 3, "0.010000")]);
    assert_eq!((&tree["cost_usd"], &tree["total_cost_usd"]), (&json!("0.000001"), &json!("0.011111")));
    assert_eq!(tree["children"], json!([expected_a, leaf(&b, &root, 2, "0.000100")]));
    assert_eq!(caller.get(&format!("/sessions/{a}/tree")).await.expect(200), expected_a, "a branch alone");
    for (id, count) in [(&root, 2), (&a, 2), (&b, 0)] {
        assert_eq!(caller.session(id).await["child_count"], count);
    }
    caller.delete(&format!("/sessions/{a1}")).await.expect(204);
    assert_eq!(caller.session(&a).await["child_count"], 1);
}
