//! Whose user a good token becomes: known, linked, made, or nobody's.

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::{
    identity::auth::{Principal, Role},
    kernel::error::Code,
};

use super::Setup;

/// Adds a user as a person would, who never logged in.
async fn add(setup: &Setup, email: &str, role: &str) {
    let sql = format!(
        "insert into users (tenant_id, id, email, full_name, role, created_at, updated_at)
         select id, gen_random_uuid(), '{email}', 'Ada', '{role}', now(), now() from tenants"
    );
    setup.owner.run(&sql).await;
}

#[tokio::test]
async fn the_first_login_creates_a_user_and_later_ones_find_it() {
    let setup = Setup::new().await;
    setup.owner.run("update tenants set signup_role = 'member'").await;
    let first = setup.person(&setup.token(&json!({}))).await.unwrap();
    let again = setup.person(&setup.token(&json!({"jti": "another", "email": "new@example.com"}))).await.unwrap();
    assert_eq!((first.role, &first.principal), (Role::Member, &again.principal));
    let row = "select concat_ws(' ', email, full_name, role, issuer, subject, is_active) from users";
    let expected = format!("ada@example.com Ada Lovelace member {} ada t", setup.issuer.url);
    assert_eq!(setup.owner.texts(row).await, [expected]);
    assert_eq!(setup.audited().await, ["user.create user true"]);
    let Principal::User { id, name } = &first.principal else { panic!("{:?}", first.principal) };
    assert_eq!(name, "Ada Lovelace");
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
    let caller = setup.caller(&setup.token(&json!({}))).with("x-tenant-id", &setup.world.tenant.slug);
    let made = caller.post("/sessions", body).await.expect(201);
    assert_eq!(made["created_by"], json!({"kind": "user", "id": id.to_string(), "name": name}));
}

#[tokio::test]
async fn the_changes_of_a_first_login_are_audited_with_the_request_id() {
    let setup = Setup::with(&json!({"role_claim": "role"})).await;
    let caller = setup.caller(&setup.token(&json!({"role": "lead"}))).with("x-request-id", "first-login");
    let page = caller.get("/api/v1/audit").await.expect(200);
    let entry = &page["items"][0];
    assert_eq!((&entry["action"], &entry["request_id"]), (&json!("user.create"), &json!("first-login")));
    assert_eq!((&entry["after"]["email"], &entry["after"]["role"]), (&json!("ada@example.com"), &json!("lead")));
    assert_eq!(caller.get("/api/v1/audit/verify").await.expect(200)["intact"], true);
}

#[tokio::test]
async fn two_concurrent_first_logins_create_one_user() {
    let setup = Setup::new().await;
    let tokens: Vec<_> = (0..8).map(|at| setup.token(&json!({"jti": at.to_string()}))).collect();
    let people = futures_util::future::join_all(tokens.iter().map(|token| setup.person(token))).await;
    let first = &people[0].as_ref().unwrap().principal;
    for person in &people {
        assert_eq!(&person.as_ref().unwrap().principal, first);
    }
    assert_eq!(setup.users().await, 1);
    assert_eq!(setup.audited().await, ["user.create user true"]);
}

#[tokio::test]
async fn a_tenant_without_automatic_users_admits_only_people_added_before() {
    let setup = Setup::new().await;
    setup.owner.run("update tenants set signup = false").await;
    setup.is_refused(&setup.token(&json!({}))).await;
    assert_eq!(setup.users().await, 0);
    add(&setup, "ada@example.com", "member").await;
    let unverified = [json!(false), json!("true"), Value::Null];
    for verified in unverified {
        setup.is_refused(&setup.token(&json!({"email_verified": verified}))).await;
    }
    setup.is_refused(&setup.token(&json!({"email": "eve@example.com"}))).await;
    assert_eq!(setup.audited().await, [""; 0]);
    let person = setup.person(&setup.token(&json!({"email": "ADA@example.com"}))).await.unwrap();
    assert_eq!(person.role, Role::Member);
    assert_eq!(setup.audited().await, ["user.link user true"]);
    // Known by the subject from now on, whatever the address says.
    let again = setup.person(&setup.token(&json!({"email": null, "email_verified": null}))).await.unwrap();
    assert_eq!(again.principal, person.principal);
    assert_eq!(setup.users().await, 1);
}

#[tokio::test]
async fn nobody_can_take_over_a_user_by_its_address() {
    let setup = Setup::new().await;
    setup.is_let_in(&setup.token(&json!({}))).await;
    setup.is_refused(&setup.token(&json!({"sub": "eve"}))).await;
    setup.is_let_in(&setup.token(&json!({"sub": "eve", "email": "eve@example.com"}))).await;
    assert_eq!(setup.users().await, 2);
}

#[tokio::test]
async fn only_one_of_many_concurrent_claims_of_a_user_succeeds() {
    let setup = Setup::new().await;
    add(&setup, "ada@example.com", "member").await;
    let tokens: Vec<_> = (0..8).map(|at| setup.token(&json!({"sub": format!("ada-{at}")}))).collect();
    let people = futures_util::future::join_all(tokens.iter().map(|token| setup.code(token))).await;
    assert_eq!(people.iter().filter(|refusal| refusal.is_none()).count(), 1);
    assert!(people.iter().flatten().all(|code| *code == Code::Unauthenticated), "{people:?}");
    assert_eq!(setup.audited().await, ["user.link user true"]);
}

#[tokio::test]
async fn concurrent_logins_of_a_person_with_several_addresses_create_one_user() {
    let setup = Setup::new().await;
    let tokens: Vec<_> = (0..8).map(|at| setup.token(&json!({"email": format!("ada-{at}@example.com")}))).collect();
    let people = futures_util::future::join_all(tokens.iter().map(|token| setup.code(token))).await;
    assert!(people.iter().all(Option::is_none), "{people:?}");
    assert_eq!(setup.users().await, 1);
}

#[tokio::test]
async fn a_deactivated_user_is_refused_and_not_linked() {
    let setup = Setup::new().await;
    setup.is_let_in(&setup.token(&json!({}))).await;
    setup.owner.run("update users set is_active = false").await;
    setup.is_refused(&setup.token(&json!({"jti": "another"}))).await;
    add(&setup, "bob@example.com", "member").await;
    setup.owner.run("update users set is_active = false").await;
    setup.is_refused(&setup.token(&json!({"sub": "bob", "email": "bob@example.com"}))).await;
    assert_eq!(setup.audited().await, ["user.create user true"]);
}

#[tokio::test]
async fn a_deactivated_tenant_admits_nobody() {
    let setup = Setup::new().await;
    setup.owner.run("update tenants set is_active = false").await;
    setup.caller(&setup.token(&json!({}))).get("/sessions").await.problem(403, "TENANT_INACTIVE");
    assert_eq!(setup.users().await, 0);
}

#[tokio::test]
async fn a_cached_token_costs_no_round_trip_for_a_few_seconds() {
    let setup = Setup::new().await;
    let token = setup.token(&json!({}));
    setup.is_let_in(&token).await;
    setup.owner.run("update users set is_active = false").await;
    setup.issuer.is(harness::issuer::Mode::Failing(500));
    assert!(setup.person(&token).await.is_ok(), "what was found a moment ago still counts");
    let (id, key) = (setup.world.tenant.id, setup.world.tenant.key_id(Role::Viewer));
    assert!(shared::identity::auth::revoke_setup_key(&setup.world.app, id, key).await.unwrap());
    setup.is_refused(&token).await;
}

#[tokio::test]
async fn the_last_seen_time_of_a_user_is_written_once_a_minute() {
    let setup = Setup::new().await;
    let seen = async || {
        let sql = "select extract(epoch from last_seen_at)::bigint from users";
        setup.owner.number(sql).await - setup.clock.now().timestamp()
    };
    setup.is_let_in(&setup.token(&json!({}))).await;
    assert_eq!(seen().await, 0);
    setup.clock.advance(TimeDelta::seconds(59));
    setup.is_let_in(&setup.token(&json!({}))).await;
    assert_eq!(seen().await, -59);
    setup.clock.advance(TimeDelta::seconds(1));
    setup.is_let_in(&setup.token(&json!({}))).await;
    assert_eq!(seen().await, 0);
}

#[tokio::test]
async fn a_person_acts_only_in_their_own_tenant_and_may_repeat_a_request() {
    let setup = Setup::with(&json!({"role_claim": "role"})).await;
    let token = setup.token(&json!({"role": "member"}));
    let other = setup.world.another_tenant().await;
    let foreign = setup.caller(&token).with("x-tenant-id", &other.slug);
    foreign.get("/sessions").await.problem(403, "TENANT_MISMATCH");
    let caller = setup.caller(&token).with("x-tenant-id", &setup.world.tenant.slug).with("idempotency-key", "once");
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
    let made = caller.post("/sessions", body.clone()).await.expect(201);
    // The same person with a newer token.
    let newer =
        caller.with("authorization", &format!("Bearer {}", setup.token(&json!({"role": "member", "jti": "2"}))));
    let again = newer.post("/sessions", body).await;
    assert_eq!(again.headers["idempotent-replay"], "true");
    assert_eq!(again.expect(201)["id"], made["id"]);
}

#[tokio::test]
async fn an_unresponsive_database_admits_nobody() {
    let setup = Setup::new().await;
    let options = harness::Options {
        clock: setup.clock.clone(),
        issuers: vec![setup.issuer.settings(&json!({}))],
        ..harness::Options::default()
    };
    let app = harness::test_app::app("postgres://ioc_app@127.0.0.1:1/none", &harness::redis_url(), options);
    let header = format!("Bearer {}", setup.token(&json!({})));
    let credentials = shared::identity::auth::Credentials { authorization: Some(&header), ..Default::default() };
    let refused =
        shared::identity::auth::identify_caller(&app, credentials, shared::identity::auth::CallOrigin::default()).await;
    assert_eq!(refused.unwrap_err().code(), Code::DependencyUnavailable);
}
