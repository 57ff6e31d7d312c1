//! Aliases: moved, taken away, rolled back, with their history.

use futures_util::future::join_all;
use harness::{Caller, TestApp};
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{archive, put, version};

const ALIAS: &str = "/api/v1/models/coder/aliases/champion";

async fn three_versions(world: &TestApp) -> Caller {
    let lead = world.caller(Role::Lead);
    for number in ["1.0.0", "1.1.0", "1.2.0"] {
        version(&lead, "coder", number).await;
    }
    lead
}

async fn points_at(lead: &Caller) -> Value {
    let model = lead.get("/api/v1/models/coder").await.expect(200);
    model["aliases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["alias"] == "champion")
        .map_or(Value::Null, |one| one["version"].clone())
}

async fn roll_back(lead: &Caller) -> harness::Reply {
    lead.act(&format!("{ALIAS}/rollback")).await
}

#[tokio::test]
async fn each_call_rolls_an_alias_back_by_one_move() {
    let world = TestApp::full().await;
    let lead = three_versions(&world).await;
    roll_back(&lead).await.problem(404, "ALIAS_NOT_FOUND");
    assert_eq!(put(&lead, "coder", "champion", "1.0.0").await.expect(200)["previous_version"], Value::Null);
    roll_back(&lead).await.problem(409, "NO_EARLIER_VERSION");
    put(&lead, "coder", "champion", "1.1.0").await.expect(200);
    let moved = put(&lead, "coder", "champion", "1.2.0").await.expect(200);
    assert_eq!((&moved["version"], &moved["previous_version"]), (&json!("1.2.0"), &json!("1.1.0")));
    assert_eq!(roll_back(&lead).await.expect(200)["version"], "1.1.0");
    assert_eq!(roll_back(&lead).await.expect(200)["version"], "1.0.0");
    roll_back(&lead).await.problem(409, "NO_EARLIER_VERSION");
    put(&lead, "coder", "champion", "1.2.0").await.expect(200);
    assert_eq!(roll_back(&lead).await.expect(200)["version"], "1.0.0", "not to what was undone before");
    assert_eq!(points_at(&lead).await, "1.0.0");
}

#[tokio::test]
async fn every_move_of_an_alias_is_in_its_history_and_in_the_audit_log() {
    let world = TestApp::full().await;
    let lead = three_versions(&world).await;
    put(&lead, "coder", "champion", "1.0.0").await.expect(200);
    put(&lead, "coder", "champion", "1.0.0").await.expect(200);
    put(&lead, "coder", "champion", "1.1.0").await.expect(200);
    assert_eq!(lead.delete(ALIAS).await.status, 204);
    lead.delete(ALIAS).await.problem(404, "ALIAS_NOT_FOUND");
    assert_eq!(roll_back(&lead).await.expect(200)["version"], "1.1.0", "what was taken away comes back");
    let history = world.caller(Role::Viewer).get(&format!("{ALIAS}/history?limit=3")).await.expect(200);
    let reported: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["seq"], one["verb"], one["from"], one["to"], one["undone"]]))
        .collect();
    assert_eq!(
        reported,
        [
            json!([4, "rollback", null, "1.1.0", false]),
            json!([3, "remove", "1.1.0", null, true]),
            json!([2, "move", "1.0.0", "1.1.0", false]),
        ]
    );
    let cursor = history["next_cursor"].as_str().unwrap();
    let rest = lead.get(&format!("{ALIAS}/history?cursor={cursor}")).await.expect(200);
    assert_eq!((&rest["items"][0]["to"], &rest["next_cursor"]), (&json!("1.0.0"), &Value::Null));
    lead.get("/api/v1/models/coder/aliases/other/history").await.problem(404, "ALIAS_NOT_FOUND");
    let entries = lead.get("/api/v1/audit?object_kind=model&object_id=coder@champion").await.expect(200);
    let actions: Vec<_> = entries["items"].as_array().unwrap().iter().map(|one| one["action"].clone()).collect();
    assert_eq!(actions, ["model.alias_rollback", "model.alias_remove", "model.alias_move", "model.alias_move"]);
    assert_eq!(entries["items"][0]["after"], json!({"version": "1.1.0"}));
    let events = "select payload->>'version' from tenant_events where type = 'model.alias_changed' order by id";
    let reported = world.superuser().await.texts(&format!("select coalesce(v, 'none') from ({events}) as e(v)")).await;
    assert_eq!(reported, ["1.0.0", "1.1.0", "none", "1.1.0"]);
}

#[tokio::test]
async fn an_alias_points_only_to_existing_versions_and_never_rolls_back_to_archived_ones() {
    let world = TestApp::full().await;
    let lead = three_versions(&world).await;
    let problem = put(&lead, "coder", "champion", "9.9.9").await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "version");
    put(&lead, "coder", "champion", "newest").await.problem(422, "VALIDATION_FAILED");
    put(&lead, "nobody", "champion", "1.0.0").await.problem(404, "MODEL_NOT_FOUND");
    put(&lead, "coder", "1.0.0", "1.0.0").await.problem(422, "VALIDATION_FAILED");
    put(&lead, "coder", "champion", "1.0.0").await.expect(200);
    put(&lead, "coder", "champion", "1.1.0").await.expect(200);
    archive(&lead, "coder", "1.0.0", true).await.expect(200);
    roll_back(&lead).await.problem(409, "MODEL_VERSION_ARCHIVED");
    assert_eq!(points_at(&lead).await, "1.1.0");
    archive(&lead, "coder", "1.0.0", false).await.expect(200);
    assert_eq!(roll_back(&lead).await.expect(200)["version"], "1.0.0", "what was refused undid nothing");
}

#[tokio::test]
async fn concurrent_moves_leave_a_history_without_a_gap_that_ends_at_the_alias() {
    let world = TestApp::full().await;
    let lead = three_versions(&world).await;
    let numbers = ["1.0.0", "1.1.0", "1.2.0"];
    let moves = join_all((0..12).map(|at| put(&lead, "coder", "champion", numbers[at % 3]))).await;
    assert!(moves.iter().all(|reply| reply.status == 200));
    let history = lead.get(&format!("{ALIAS}/history?limit=200")).await.expect(200);
    let mut items = history["items"].as_array().unwrap().clone();
    items.reverse();
    let mut at = Value::Null;
    for (seq, one) in items.iter().enumerate() {
        assert_eq!((&one["seq"], &one["from"]), (&json!(seq + 1), &at));
        at = one["to"].clone();
    }
    assert_eq!(points_at(&lead).await, at);
}
