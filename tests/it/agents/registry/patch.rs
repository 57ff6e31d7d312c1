//! `PATCH /agents/{id}`.

use futures_util::future::join_all;
use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

use super::{AGENTS, UNKNOWN, all, audited, named, place};

#[tokio::test]
async fn a_patch_changes_only_the_sent_fields_and_is_audited() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let place = place(&lead, "one").await;
    let before = lead.get(&place).await.expect(200);
    let change = json!({"name": "two", "agent_type": "debugger", "description": "b", "capabilities": ["debugging"], "skills": ["rust"],
                        "capacity": 1, "endpoint_url": "https://agents.example.com/", "version": "2", "metadata": {"a": 1}});
    let reply = lead.with("if-match", "\"1\"").patch(&place, change.clone()).await;
    assert_eq!(reply.headers["etag"], "\"2\"");
    let after = reply.expect(200);
    for (field, value) in after.as_object().unwrap() {
        let expected = change.get(field).or(before.get(field));
        assert!(expected == Some(value) || field == "updated_at", "{field}: {value}");
    }
    let entry = audited(&world).await["items"][0].clone();
    assert_eq!(
        (&entry["action"], &entry["before"]["name"], &entry["after"]["capacity"]),
        (&json!("agent.update"), &json!("one"), &json!(1))
    );
    let cleared = json!({"description": null, "endpoint_url": null, "version": null, "endpoint_secret": null});
    let after = lead.patch(&place, cleared).await.expect(200);
    assert!(after["description"].is_null() && after["version"].is_null() && after.get("endpoint_url").is_none());
}

#[tokio::test]
async fn a_patch_without_effect_creates_no_version_and_no_audit_entry() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let place = place(&lead, "one").await;
    let reply = lead.patch(&place, json!({"name": "one", "state": "active"})).await;
    assert_eq!((reply.status.as_u16(), &reply.headers["etag"]), (200, &"\"1\"".parse().unwrap()));
    assert_eq!(all(&audited(&world).await, "action"), ["agent.create"]);
}

#[tokio::test]
async fn only_one_of_many_concurrent_changes_of_one_version_succeeds() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead).with("if-match", "\"1\"");
    let place = place(&world.caller(Role::Lead), "one").await;
    let tried = join_all((1..=20).map(|at| lead.patch(&place, json!({"capacity": at + 10})).into_future())).await;
    assert_eq!(tried.iter().filter(|reply| reply.status == 200).count(), 1);
    assert!(tried.iter().all(|reply| reply.status == 200 || reply.code() == "VERSION_MISMATCH"));
}

#[tokio::test]
async fn an_invalid_request_is_refused_by_field_and_changes_nothing() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let place = place(&lead, "one").await;
    let mut called = named("called");
    called["kind"] = json!("a2a");
    called["endpoint_url"] = json!("https://agents.example.com/");
    let called = format!("{AGENTS}/{}", lead.post(AGENTS, called).await.expect(201)["id"].as_str().unwrap());
    let before = owner.dump().await;
    for (field, value) in [
        ("name", json!("a b")),
        ("capacity", json!(51)),
        ("endpoint_url", json!("https://127.0.0.1/")),
        ("state", json!("draining")),
        ("state", json!("deregistered")),
        ("state", json!("asleep")),
        ("kind", json!("a2a")),
        ("tier", json!("elite")),
        ("finished", json!(100)),
    ] {
        let problem = lead.patch(&place, json!({field: value})).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{value}");
    }
    let problem = lead.patch(&called, json!({"endpoint_url": null})).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "endpoint_url");
    lead.patch(&place, json!({"name": "called"})).await.problem(409, "ALREADY_EXISTS");
    lead.with("if-match", "\"7\"").patch(&place, json!({"capacity": 2})).await.problem(412, "VERSION_MISMATCH");
    world.caller(Role::Member).patch(&place, json!({"capacity": 2})).await.problem(403, "FORBIDDEN");
    lead.patch(&format!("{AGENTS}/{UNKNOWN}"), json!({"capacity": 2})).await.problem(404, "AGENT_NOT_FOUND");
    let foreign = world.caller_of(&world.another_tenant().await, Role::Lead);
    let before_but_tenants = |mut dump: std::collections::BTreeMap<_, _>| {
        for table in ["tenants", "api_keys"] {
            dump.remove(table);
        }
        dump
    };
    foreign.patch(&place, json!({"capacity": 2})).await.problem(404, "AGENT_NOT_FOUND");
    assert_eq!(before_but_tenants(owner.dump().await), before_but_tenants(before));
}
