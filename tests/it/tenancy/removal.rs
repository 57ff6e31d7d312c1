//! `DELETE /tenants/{id}`: everything of it goes, and nothing of others.

use harness::{Options, World};
use serde_json::{Value, json};
use shared::{auth::Role, id::SessionId, sweep::sweep};

/// A world whose second tenant has a row in every kind of table, and a file.
async fn with_everything() -> (World, harness::Tenant, SessionId, String) {
    let world = World::full().await;
    let other = world.another_tenant().await;
    let (admin, member) = (world.caller_of(&other, Role::Admin), world.caller_of(&other, Role::Member));
    let id = member.with("idempotency-key", "one").new_session(json!({})).await;
    member.post(&format!("/sessions/{id}/messages"), json!({"text": "Go on."})).await.expect(202);
    member.post(&format!("/sessions/{id}/checkpoints"), json!({})).await.expect(201);
    member.new_session(json!({"parent_id": id})).await;
    let body = json!({"email": "ada@example.org", "full_name": "Ada", "role": "member"});
    let user = admin.post("/api/v1/users", body).await.expect(201);
    admin.post("/api/v1/api-keys", json!({"name": "theirs", "user_id": user["id"]})).await.expect(201);
    let owner = world.owner().await;
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
    let hash = world.app.files.put(other.id, id, b"made".to_vec()).await.unwrap();
    (world, other, id, hash)
}

fn place(tenant: &harness::Tenant) -> String {
    format!("/api/v1/tenants/{}", tenant.id)
}

#[tokio::test]
async fn a_removed_tenant_takes_everything_of_it_along_and_nothing_of_others() {
    let (world, other, id, hash) = with_everything().await;
    let (admin, owner) = (world.caller(Role::Admin), world.owner().await);
    let mine = SessionId::new();
    let kept = world.app.files.put(world.tenant.id, mine, b"kept".to_vec()).await.unwrap();
    let third = world.another_tenant().await;
    world.caller_of(&third, Role::Member).new_session(json!({})).await;
    let count = |tenant: String| format!("select count(*) from sessions where tenant_id = '{tenant}'");
    admin.delete(&place(&other)).await.problem(409, "TENANT_ACTIVE");
    admin.patch(&place(&other), json!({"is_active": false})).await.expect(200);
    assert_eq!(admin.delete(&place(&other)).await.status, 204);
    for (table, rows) in owner.dump().await {
        let told: Vec<_> = rows.lines().filter(|row| row.contains(&other.id.to_string())).collect();
        // What is left of it is that it was removed, in the log of who did it.
        assert_eq!(told.len(), usize::from(table == "audit_entries"), "{table}: {told:?}");
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
async fn a_tenant_of_which_something_still_runs_is_not_removed() {
    let mut world = World::with(Options::default()).await;
    let other = world.another_tenant().await;
    let (admin, owner) = (world.caller_of(&other, Role::Admin), world.owner().await);
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
    harness::until(async || {
        sweep(&second.app).await.unwrap();
        admin.delete(&place).await.status == 204
    })
    .await;
    assert_eq!(owner.number("select count(*) from sessions").await, 0);
}

#[tokio::test]
async fn a_tenant_whose_training_is_being_handed_over_is_not_removed() {
    let world = World::full().await;
    let other = world.another_tenant().await;
    let (admin, owner, place) = (world.caller(Role::Admin), world.owner().await, place(&other));
    world.caller_of(&other, Role::Lead).train(json!({})).await;
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    for (held, given_back) in [
        ("lease_until = now() + interval '1 minute'", "lease_until = now()"),
        ("submitted_at = now()", "submitted_at = null"),
    ] {
        owner.run(&format!("update training_jobs set {held}")).await;
        let problem = admin.delete(&place).await.problem(409, "TENANT_ACTIVE");
        assert!(problem["detail"].as_str().unwrap().starts_with("1 sessions"), "{held}: {problem}");
        owner.run(&format!("update training_jobs set {given_back}")).await;
    }
    assert_eq!(admin.delete(&place).await.status, 204, "one that nobody has begun with goes along");
}

#[tokio::test]
async fn a_removal_that_was_broken_off_is_finished_by_the_sweep_and_cannot_be_taken_back() {
    let (world, other, id, hash) = with_everything().await;
    let (admin, owner) = (world.caller(Role::Admin), world.owner().await);
    owner.run(&format!("update tenants set is_active = false, deleted_at = now() where id = '{}'", other.id)).await;
    admin.get(&place(&other)).await.problem(404, "TENANT_NOT_FOUND");
    admin.patch(&place(&other), json!({"is_active": true})).await.problem(404, "TENANT_NOT_FOUND");
    let listed = admin.get("/api/v1/tenants").await.expect(200);
    assert!(!super::all(&listed, "id").contains(&json!(other.id)));
    sweep(&world.app).await.unwrap();
    let left = format!("select count(*) from tenants where id = '{}'", other.id);
    assert_eq!(owner.number(&left).await, 0);
    world.app.files.get(other.id, id, &hash).await.unwrap_err();
}

#[tokio::test]
async fn a_removal_sent_twice_with_one_idempotency_key_is_answered_twice_and_done_once() {
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
async fn a_tenant_too_large_to_go_at_once_goes_bit_by_bit_and_nobody_waits_for_it() {
    let (world, other, ..) = with_everything().await;
    let (admin, member, owner) =
        (world.caller(Role::Admin), world.caller_of(&other, Role::Member), world.owner().await);
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
        sweep(&world.app).await.unwrap();
        owner.number(&left).await == 0
    })
    .await;
    assert_eq!(owner.number(&format!("select count(*) from sessions where tenant_id = '{}'", other.id)).await, 0);
}
