//! `PATCH /environments/{id}`, `GET /environments/{id}/versions`.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{PATH, create_environment, refused_fields};

#[tokio::test]
async fn every_change_is_a_new_version_and_the_earlier_ones_stay() {
    let world = TestApp::full().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let fields = json!({"rules": "One.", "cpu": 1.0, "setup": {"script": "true"}, "variables": {"A": "1"}});
    let id = create_environment(&lead, "backend", fields).await;
    let at = format!("{PATH}/{id}");
    let reply = lead.patch(&at, json!({"rules": "Two.", "cpu": null, "setup": null})).await;
    assert_eq!(reply.headers["etag"], "\"2\"");
    let second = reply.expect(200);
    assert_eq!((&second["rules"], &second["cpu"], &second["setup"]), (&json!("Two."), &Value::Null, &Value::Null));
    assert_eq!(second["variables"], json!({"A": "1"}), "an absent field stays");
    let renamed = lead.patch(&at, json!({"name": "api", "variables": {"B": "2"}})).await.expect(200);
    assert_eq!((&renamed["version"], &renamed["variables"]), (&json!(3), &json!({"B": "2"})));
    let unchanged = lead.patch(&at, json!({"name": "api"})).await.expect(200);
    assert_eq!(unchanged, renamed, "nothing changed, so there is no new version");
    let versions = member.get(&format!("{at}/versions?limit=2")).await.expect(200);
    let seen = |list: &Value| {
        let items = list["items"].as_array().unwrap().clone();
        items.iter().map(|one| (one["version"].clone(), one["name"].clone(), one["rules"].clone())).collect::<Vec<_>>()
    };
    let expected = [(3, "api", "Two."), (2, "backend", "Two.")];
    assert_eq!(seen(&versions), expected.map(|(n, name, rules)| (json!(n), json!(name), json!(rules))));
    let cursor = versions["next_cursor"].as_str().unwrap();
    let rest = member.get(&format!("{at}/versions?cursor={cursor}")).await.expect(200);
    assert_eq!(seen(&rest), [(json!(1), json!("backend"), json!("One."))]);
    assert_eq!(rest["items"][0]["setup"]["script"], "true");
    member.cannot_query(&format!("{at}/versions"), &["limit=0", "cursor=x"]).await;
}

#[tokio::test]
async fn a_change_of_an_outdated_version_is_refused() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let id = create_environment(&lead, "backend", json!({})).await;
    let at = format!("{PATH}/{id}");
    let first = lead.with("if-match", "\"1\"");
    first.patch(&at, json!({"rules": "One."})).await.expect(200);
    let problem = first.patch(&at, json!({"rules": "Other."})).await.problem(412, "VERSION_MISMATCH");
    assert_eq!(problem["current"], json!({"version": 2}));
    first.delete(&at).await.problem(412, "VERSION_MISMATCH");
    assert_eq!(lead.get(&at).await.expect(200)["rules"], "One.");
}

#[tokio::test]
async fn a_tenant_has_one_default_and_the_mark_changes_no_version() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let first = create_environment(&lead, "first", json!({"is_default": true})).await;
    let second = create_environment(&lead, "second", json!({})).await;
    let marked = lead.patch(&format!("{PATH}/{second}"), json!({"is_default": true})).await.expect(200);
    assert_eq!((&marked["is_default"], &marked["version"]), (&json!(true), &json!(1)));
    assert_eq!(lead.get(&format!("{PATH}/{first}")).await.expect(200)["is_default"], false);
    let third = create_environment(&lead, "third", json!({"is_default": true})).await;
    assert_eq!(lead.get(&format!("{PATH}/{second}")).await.expect(200)["is_default"], false);
    lead.patch(&format!("{PATH}/{third}"), json!({"is_default": false})).await.expect(200);
    let all = lead.all_pages(&format!("{PATH}?limit=2"), "is_default").await;
    assert_eq!(all, [false, false, false].map(Value::from));
}

#[tokio::test]
async fn an_invalid_change_is_refused_and_changes_nothing() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    create_environment(&lead, "taken", json!({})).await;
    let id = create_environment(&lead, "backend", json!({"variables": {"TOKEN": "x"}})).await;
    let at = format!("{PATH}/{id}");
    let before = owner.dump().await;
    let refused = async |body: Value| refused_fields(&lead.patch(&at, body).await.problem(422, "VALIDATION_FAILED"));
    assert_eq!(refused(json!({"secrets": ["TOKEN"]})).await, ["secrets[0]"]);
    assert_eq!(refused(json!({"name": "", "rules": "\0", "memory_mb": 1})).await, ["name", "rules", "memory_mb"]);
    lead.patch(&at, json!({"name": "taken"})).await.problem(409, "ALREADY_EXISTS");
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn changes_at_once_make_one_version_each() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let id = create_environment(&lead, "backend", json!({})).await;
    let at = format!("{PATH}/{id}");
    let change = async |n: usize| lead.patch(&at, json!({"rules": format!("Rule {n}.")})).await.expect(200);
    let changes = futures_util::future::join_all((0..8).map(change)).await;
    let mut versions: Vec<_> = changes.iter().map(|one| one["version"].as_i64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=9).collect::<Vec<_>>());
    let stored = lead.all_pages(&format!("{at}/versions?limit=3"), "version").await;
    assert_eq!(stored, (1..=9).rev().map(Value::from).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_change_of_an_environment_is_in_the_audit_log_without_values() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let id = create_environment(&lead, "backend", json!({"variables": {"A": "not for the log"}})).await;
    let at = format!("{PATH}/{id}");
    lead.patch(&at, json!({"rules": "One.", "cpu": 2.0})).await.expect(200);
    lead.delete(&at).await.expect(204);
    let log = lead.get("/api/v1/audit?limit=200").await.expect(200);
    let entries: Vec<_> = log["items"].as_array().unwrap().iter().filter(|one| one["object_id"] == json!(id)).collect();
    let actions: Vec<_> = entries.iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["environment.delete", "environment.update", "environment.create"]);
    assert_eq!((&entries[1]["before"]["cpu"], &entries[1]["after"]["cpu"]), (&Value::Null, &json!(2.0)));
    assert_eq!(entries[2]["after"]["variables"], json!(["A"]));
    assert!(!log.to_string().contains("not for the log"));
}
