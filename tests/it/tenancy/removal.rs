//! `DELETE /tenants/{id}`: everything of it goes, and nothing of others.

use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::{app::reconciler::reconcile, identity::auth::Role, kernel::id::SessionId};

/// A test app whose second tenant has a row in every kind of table, and a file.
async fn with_everything() -> (TestApp, harness::Tenant, SessionId, String) {
    let world = TestApp::full().await;
    let other = world.another_tenant().await;
    let (admin, member) = (world.caller_of(&other, Role::Admin), world.caller_of(&other, Role::Member));
    let id = member.with("idempotency-key", "one").new_session(json!({})).await;
    member.post(&format!("/sessions/{id}/messages"), json!({"text": "Go on."})).await.expect(202);
    member.post(&format!("/sessions/{id}/checkpoints"), json!({})).await.expect(201);
    member.new_session(json!({"parent_id": id})).await;
    let body = json!({"email": "ada@example.org", "full_name": "Ada", "role": "member"});
    let user = admin.post("/api/v1/users", body).await.expect(201);
    admin.post("/api/v1/api-keys", json!({"name": "theirs", "user_id": user["id"]})).await.expect(201);
    let owner = world.superuser().await;
    owner
        .run(&format!(
            "insert into agents (id, tenant_id, name, kind, created_at, updated_at)
                 values ('{id}', '{0}', 'own', 'manual', now(), now());
             update sessions set agent_id = '{id}' where id = '{id}';
             insert into agent_tokens values ('{0}', '{id}', '{id}', 'test', sha256('a'), null, now());
             insert into tenant_usage values ('{0}', '2030-01-01', 1, 1);
             insert into session_files select tenant_id, id, 'a', 'added', 1, 0, '' from sessions where id = '{id}'",
            other.id
        ))
        .await;
    let id: SessionId = id.parse().unwrap();
    let hash = world.app.files.put_content(other.id, id, b"made".to_vec()).await.unwrap();
    (world, other, id, hash)
}

fn place(tenant: &harness::Tenant) -> String {
    format!("/api/v1/tenants/{}", tenant.id)
}

#[tokio::test]
async fn removing_a_tenant_removes_all_its_data_and_nothing_of_others() {
    let (world, other, id, hash) = with_everything().await;
    let (admin, owner) = (world.caller(Role::Admin), world.superuser().await);
    let mine = SessionId::new();
    let kept = world.app.files.put_content(world.tenant.id, mine, b"kept".to_vec()).await.unwrap();
    let third = world.another_tenant().await;
    world.caller_of(&third, Role::Member).new_session(json!({})).await;
    let count = |tenant: String| format!("select count(*) from sessions where tenant_id = '{tenant}'");
    admin.delete(&place(&other)).await.problem(409, "TENANT_ACTIVE");
    admin.patch(&place(&other), json!({"is_active": false})).await.expect(200);
    assert_eq!(admin.delete(&place(&other)).await.status, 204);
    for (table, rows) in owner.dump().await {
        let reported: Vec<_> = rows.lines().filter(|row| row.contains(&other.id.to_string())).collect();
        // Only the removal itself remains, in the audit log of its actor.
        assert_eq!(reported.len(), usize::from(table == "audit_entries"), "{table}: {reported:?}");
    }
    world.app.files.get(other.id, id, &hash).await.unwrap_err();
    world.app.files.get(world.tenant.id, mine, &kept).await.unwrap();
    assert_eq!(owner.number(&count(third.id.to_string())).await, 1);
    let audit = admin.get("/api/v1/audit?action=tenant.delete").await.expect(200);
    assert_eq!(audit["items"][0]["before"]["slug"], other.slug);
    assert_eq!(admin.get("/api/v1/audit/verify").await.expect(200)["intact"], true);
    world.caller_of(&other, Role::Admin).get("/sessions").await.problem(401, "UNAUTHENTICATED");
    admin.get(&place(&other)).await.problem(404, "TENANT_NOT_FOUND");
    admin.delete(&place(&other)).await.problem(404, "TENANT_NOT_FOUND");
    admin.post("/api/v1/tenants", json!({"name": "Again", "slug": other.slug})).await.expect(201);
}

#[tokio::test]
async fn a_tenant_with_running_sessions_is_not_removed() {
    let mut world = TestApp::with(Options::default()).await;
    let other = world.another_tenant().await;
    let (admin, owner) = (world.caller_of(&other, Role::Admin), world.superuser().await);
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "wait", "ms": 600_000}])).await;
    caller.reaches(&id, &["running"]).await;
    world.crash().await;
    let place = place(&world.tenant);
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    let before = owner.dump().await;
    let problem = admin.delete(&place).await.problem(409, "TENANT_ACTIVE");
    assert!(problem["detail"].as_str().unwrap().starts_with("1 sessions"), "{problem}");
    assert_eq!(owner.dump().await, before);
    let second = super::another_process(&world).await;
    second.may_leave_work("the removal schedules a workspace release, which no worker carries out here");
    harness::until(async || {
        reconcile(&second.app).await.unwrap();
        admin.delete(&place).await.status == 204
    })
    .await;
    assert_eq!(owner.number("select count(*) from sessions").await, 0);
}

#[tokio::test]
async fn a_tenant_whose_training_is_being_handed_over_is_not_removed() {
    let world = TestApp::full().await;
    let other = world.another_tenant().await;
    let (admin, owner, place) = (world.caller(Role::Admin), world.superuser().await, place(&other));
    world.caller_of(&other, Role::Lead).train(json!({})).await;
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    for (held, released) in [
        ("lease_until = now() + interval '1 minute'", "lease_until = now()"),
        ("submitted_at = now()", "submitted_at = null"),
    ] {
        owner.run(&format!("update training_jobs set {held}")).await;
        let problem = admin.delete(&place).await.problem(409, "TENANT_ACTIVE");
        assert!(problem["detail"].as_str().unwrap().starts_with("1 sessions"), "{held}: {problem}");
        owner.run(&format!("update training_jobs set {released}")).await;
    }
    assert_eq!(admin.delete(&place).await.status, 204, "one that nobody has begun with goes along");
}

#[tokio::test]
async fn an_interrupted_removal_is_finished_by_the_reconciler_and_irreversible() {
    let (world, other, id, hash) = with_everything().await;
    let (admin, owner) = (world.caller(Role::Admin), world.superuser().await);
    owner.run(&format!("update tenants set is_active = false, deleted_at = now() where id = '{}'", other.id)).await;
    admin.get(&place(&other)).await.problem(404, "TENANT_NOT_FOUND");
    admin.patch(&place(&other), json!({"is_active": true})).await.problem(404, "TENANT_NOT_FOUND");
    let listed = admin.get("/api/v1/tenants").await.expect(200);
    assert!(!super::all(&listed, "id").contains(&json!(other.id)));
    reconcile(&world.app).await.unwrap();
    let left = format!("select count(*) from tenants where id = '{}'", other.id);
    assert_eq!(owner.number(&left).await, 0);
    world.app.files.get(other.id, id, &hash).await.unwrap_err();
}

#[tokio::test]
async fn a_removal_repeated_with_one_idempotency_key_is_done_once() {
    let (world, other, ..) = with_everything().await;
    let admin = world.caller(Role::Admin);
    admin.patch(&place(&other), json!({"is_active": false})).await.expect(200);
    let once = admin.with("idempotency-key", "remove-it");
    assert_eq!(once.delete(&place(&other)).await.status, 204);
    assert_eq!(once.delete(&place(&other)).await.status, 204);
    let audit = admin.get("/api/v1/audit?action=tenant.delete").await.expect(200);
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(audit["items"][0]["after"], Value::Null);
}

#[tokio::test]
async fn a_large_tenant_is_removed_in_steps_without_blocking_anybody() {
    let (world, other, ..) = with_everything().await;
    let (admin, member, owner) =
        (world.caller(Role::Admin), world.caller_of(&other, Role::Member), world.superuser().await);
    let model = member.new_session(json!({})).await;
    // More than Postgres works on at once: each session takes its time, and one statement is given up after 8 s.
    owner.multiply(&model, 900).await;
    owner
        .run(
            "create function takes_its_time() returns trigger language plpgsql as
                 $$ begin perform pg_sleep(0.01); return old; end $$;
             create trigger takes_its_time before delete on sessions for each row execute function takes_its_time()",
        )
        .await;
    admin.patch(&place(&other), json!({"is_active": false})).await.expect(200);
    assert_eq!(admin.delete(&place(&other)).await.status, 204);
    let left = format!("select count(*) from tenants where id = '{}'", other.id);
    assert_eq!(owner.number(&left).await, 1, "it is not gone at once");
    harness::until(async || {
        reconcile(&world.app).await.unwrap();
        owner.number(&left).await == 0
    })
    .await;
    assert_eq!(owner.number(&format!("select count(*) from sessions where tenant_id = '{}'", other.id)).await, 0);
}
