//! The audit log: every change is in it, nobody can take it back, and whoever tampers with it is found out.

use chrono::TimeDelta;
use harness::{Caller, Options, TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock, platform::queue::job::Job};

async fn entries(world: &TestApp) -> Vec<Value> {
    let list = world.caller(Role::Lead).get("/api/v1/audit?limit=200").await.expect(200);
    let mut entries = list["items"].as_array().unwrap().clone();
    entries.reverse();
    entries
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

async fn verdict(world: &TestApp) -> Value {
    world.caller(Role::Lead).get("/api/v1/audit/verify").await.expect(200)
}

async fn some_changes(caller: &Caller) -> String {
    let id = caller.new_session(json!({})).await;
    caller.patch(&format!("/sessions/{id}"), json!({"title": "Another title"})).await.expect(200);
    caller.act(&format!("/sessions/{id}/cancel")).await.expect(200);
    id
}

#[tokio::test]
async fn every_change_by_a_caller_is_audited_with_actor_action_and_previous_state() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member).with("x-request-id", "my-request");
    let id = some_changes(&caller).await;
    caller.delete(&format!("/sessions/{id}")).await.expect(204);
    let entries = entries(&world).await;
    assert_eq!(actions(&entries), ["session.create", "session.update", "session.cancel", "session.delete"]);
    for (entry, seq) in entries.iter().zip(1..) {
        assert_eq!(entry["seq"], seq);
        assert_eq!(entry["object_kind"], "session");
        assert_eq!(entry["object_id"], id.as_str());
        assert_eq!(entry["request_id"], "my-request");
        assert_eq!(entry["actor"]["id"], world.tenant.key_id(Role::Member).to_string());
    }
    assert_eq!(entries[0]["before"], Value::Null);
    assert_eq!(entries[0]["after"]["status"], "pending");
    assert_eq!(entries[1]["before"], json!({"title": "Fix the parser"}));
    assert_eq!(entries[1]["after"], json!({"title": "Another title"}));
    assert_eq!(entries[2]["after"], json!({"status": "cancelled"}));
    assert_eq!(entries[3]["after"], Value::Null);
}

#[tokio::test]
async fn decisions_of_the_system_are_audited_and_plain_agent_activity_is_not() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let script = json!([{"do": "say", "text": "One."}, {"do": "write", "path": "a.rs", "content": "a"}, {"do": "say", "text": "Two."}]);
    let id = caller.run_script(script).await;
    caller.reaches(&id, &["completed"]).await;
    let entries = entries(&world).await;
    assert_eq!(actions(&entries), ["session.create", "session.running", "session.completed"]);
    assert_eq!(entries[2]["actor"]["kind"], "system");
    assert_eq!(verdict(&world).await["intact"], true);
}

#[tokio::test]
async fn refused_requests_and_requests_without_effect_are_not_audited() {
    let limits = shared::identity::tenants::TenantLimits {
        max_concurrent_sessions: 0,
        admission: shared::identity::tenants::Admission::Reject,
        ..shared::identity::tenants::TenantLimits::default()
    };
    let world = TestApp::idle(Options { limits, ..Options::default() }).await;
    let caller = world.caller(Role::Member);
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
    caller.post("/sessions", body).await.problem(429, "QUOTA_EXCEEDED");
    assert_eq!(entries(&world).await, Vec::<Value>::new());
    let world = TestApp::full().await;
    let id = world.caller(Role::Member).new_session(json!({})).await;
    world.caller(Role::Member).patch(&format!("/sessions/{id}"), json!({})).await.expect(200);
    world.caller(Role::Member).act(&format!("/sessions/{id}/stop")).await.problem(409, "INVALID_TRANSITION");
    assert_eq!(actions(&entries(&world).await), ["session.create"]);
}

#[tokio::test]
async fn secrets_are_masked_in_audit_entries() {
    let world = TestApp::full().await;
    let secret = format!("sk-{}", "a1b2c3d4".repeat(4));
    let metadata = json!({"password": "hunter2hunter2", "note": format!("with {secret}"), "ticket": "4711"});
    world.caller(Role::Member).new_session(json!({"metadata": metadata})).await;
    let entries = entries(&world).await;
    let kept = &entries[0]["after"]["metadata"];
    assert_eq!(kept["ticket"], "4711");
    assert_eq!(kept["password"], "[redacted]");
    assert!(!entries[0].to_string().contains(&secret), "{kept}");
}

#[tokio::test]
async fn the_database_role_of_the_functions_can_neither_change_nor_forge_an_entry() {
    let world = TestApp::full().await;
    some_changes(&world.caller(Role::Member)).await;
    let app = Superuser::of(&world.database.url).await;
    app.run(&format!("set app.tenant_id = '{}'", world.tenant.id)).await;
    for sql in [
        "update audit_entries set action = 'session.nothing'",
        "delete from audit_entries",
        "insert into audit_entries select * from audit_entries",
        "truncate audit_entries",
        "update audit_heads set seq = 0",
        "delete from audit_heads",
        "alter table audit_entries disable row level security",
        "set role ioc_audit",
        "create temp table mine (tenant_id uuid);
         create trigger mine after delete on mine for each row execute function delete_audit_of_tenant()",
    ] {
        assert_eq!(app.refusal(sql).await.as_deref(), Some("42501"), "{sql}");
    }
    assert_eq!(verdict(&world).await["intact"], true);
}

/// The findings of a verification after the database owner ran this on a log of six entries.
async fn findings(tampering: &str) -> Vec<(i64, String)> {
    let world = TestApp::full().await;
    for _ in 0..2 {
        some_changes(&world.caller(Role::Member)).await;
    }
    let before = verdict(&world).await;
    assert_eq!((before["intact"].as_bool(), before["entries"].as_i64()), (Some(true), Some(6)));
    world.superuser().await.run(tampering).await;
    let after = verdict(&world).await;
    let breaks = after["breaks"].as_array().unwrap().iter();
    let found: Vec<_> =
        breaks.map(|one| (one["seq"].as_i64().unwrap(), one["finding"].as_str().unwrap().to_owned())).collect();
    assert_eq!(after["intact"], found.is_empty());
    found
}

fn at(seq: i64, finding: &str) -> (i64, String) {
    (seq, finding.to_owned())
}

#[tokio::test]
async fn a_change_of_any_field_of_an_entry_is_detected() {
    for change in [
        "at = at + interval '1 microsecond'",
        "actor = jsonb_set(actor, '{name}', '\"nobody\"')",
        "action = 'session.start'",
        "object_id = 'another'",
        "before = null",
        "after = '{\"title\": \"a\"}'",
        "request_id = null",
        "address = '203.0.113.7'",
        "hash = sha256('a')",
    ] {
        let found = findings(&format!("update audit_entries set {change} where seq = 2")).await;
        assert!(found.contains(&at(2, "changed")), "{change}: {found:?}");
    }
}

#[tokio::test]
async fn a_removed_entry_is_detected_at_the_beginning_middle_and_end() {
    assert!(findings("delete from audit_entries where seq = 3").await.contains(&at(3, "removed")));
    assert!(findings("delete from audit_entries where seq = 1").await.contains(&at(1, "removed")));
    assert!(findings("delete from audit_entries where seq = 6").await.contains(&at(6, "removed")));
    assert!(findings("delete from audit_entries").await.contains(&at(1, "removed")));
}

#[tokio::test]
async fn an_inserted_entry_is_detected_in_the_middle_and_at_the_end() {
    let copy = |seq: i64| {
        format!(
            "insert into audit_entries select tenant_id, {seq}, id, at, actor, action, object_kind, object_id, before, after,
                 request_id, address, hash, month from audit_entries where seq = 2"
        )
    };
    assert!(findings(&copy(7)).await.contains(&at(7, "inserted")));
    let shifted = format!(
        "update audit_entries set seq = seq + 100 where seq > 3; {};
         update audit_entries set seq = seq - 99 where seq > 100",
        copy(4)
    );
    assert!(!findings(&shifted).await.is_empty());
    // Also one whose own hash is made to fit.
    let made = "update audit_entries e set action = 'session.start',
        hash = sha256((select p.hash from audit_entries p where p.seq = 2)
            || audit_text(jsonb_populate_record(e, '{\"action\": \"session.start\"}'))) where e.seq = 3";
    assert!(!findings(made).await.is_empty());
}

#[tokio::test]
async fn the_command_finds_what_the_endpoint_finds() {
    let world = TestApp::full().await;
    some_changes(&world.caller(Role::Member)).await;
    let owner = world.superuser().await;
    let check = async || {
        let mut command = tokio::process::Command::new(local::paths::root().unwrap().join("target/debug/ioc"));
        command.args(["audit", "verify", "--tenant", &world.tenant.slug]);
        command.env("DATABASE_URL", &world.database.url).output().await.unwrap()
    };
    let good = check().await;
    let text = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(good.status.success() && text.contains(&world.tenant.slug) && text.contains("intact"), "{text}");
    owner.run("update audit_entries set action = 'session.start' where seq = 2").await;
    let bad = check().await;
    let text = String::from_utf8_lossy(&bad.stdout).into_owned();
    assert!(!bad.status.success() && text.contains("changed") && text.contains('2'), "{text}");
}

#[tokio::test]
async fn an_export_holds_every_entry_once_in_order_and_continues_an_earlier_one() {
    let world = TestApp::full().await;
    for _ in 0..3 {
        some_changes(&world.caller(Role::Member)).await;
    }
    let lead = world.caller(Role::Lead);
    let export = async |path: &str| {
        let reply = lead.get(path).await;
        assert_eq!(reply.headers["content-type"], "application/x-ndjson");
        let text = String::from_utf8(reply.bytes.to_vec()).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let all = export("/api/v1/audit/export").await;
    assert_eq!(all, entries(&world).await);
    assert_eq!(export("/api/v1/audit/export?after=5").await, all[5..]);
    assert_eq!(export("/api/v1/audit/export?after=9").await, Vec::<Value>::new());
    lead.get("/api/v1/audit/export?after=x").await.problem(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn the_audit_list_applies_each_filter_and_pages_without_a_gap() {
    let world = TestApp::full().await;
    let id = some_changes(&world.caller(Role::Member)).await;
    some_changes(&world.caller(Role::Lead)).await;
    let lead = world.caller(Role::Lead);
    let count = async |query: &str| {
        lead.get(&format!("/api/v1/audit?{query}")).await.expect(200)["items"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 6);
    assert_eq!(count("action=session.cancel").await, 2);
    assert_eq!(count("action=session.cancel,session.create").await, 4);
    assert_eq!(count(&format!("object_id={id}&object_kind=session")).await, 3);
    assert_eq!(count(&format!("actor_id={}", world.tenant.key_id(Role::Lead))).await, 3);
    assert_eq!(count("since=2100-01-01T00:00:00Z").await, 0);
    assert_eq!(count("until=2100-01-01T00:00:00Z").await, 6);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = lead.get(&format!("/api/v1/audit?limit=4{cursor}")).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|entry| entry["seq"].as_i64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, [6, 5, 4, 3, 2, 1]);
    for wrong in ["limit=0", "limit=201", "cursor=x", "since=today", "object_kind=sessions", "action=A", "unknown=1"] {
        lead.get(&format!("/api/v1/audit?{wrong}")).await.problem(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn concurrent_changes_form_one_chain_without_a_gap() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    futures_util::future::join_all((0..40).map(|_| caller.new_session(json!({})))).await;
    let verdict = verdict(&world).await;
    assert_eq!((verdict["intact"].as_bool(), verdict["entries"].as_i64()), (Some(true), Some(40)));
}

#[tokio::test]
async fn retention_removes_old_entries_records_it_and_leaves_a_valid_chain() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let reconcile = async || functions::jobs::run(&world.app, Job::reconcile()).await.unwrap();
    some_changes(&world.caller(Role::Member)).await;
    clock.advance(TimeDelta::days(31));
    some_changes(&world.caller(Role::Member)).await;
    reconcile().await;
    assert_eq!(entries(&world).await.len(), 6, "kept for ever unless the tenant says otherwise");
    world.superuser().await.run("update tenants set audit_retention_days = 30").await;
    reconcile().await;
    let left = entries(&world).await;
    assert_eq!(left[0]["seq"], 4);
    assert_eq!(actions(&left)[3..], ["audit.prune"]);
    assert_eq!(left[3]["after"]["removed"], 3);
    assert_eq!(verdict(&world).await["intact"], true);
    world.superuser().await.run("delete from audit_entries where seq = 4").await;
    assert_eq!(verdict(&world).await["breaks"][0], json!({"seq": 4, "finding": "removed"}));
}
