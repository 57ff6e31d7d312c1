//! The claims of a token: audience, times, subject, tenant and role.

use chrono::TimeDelta;
use harness::issuer::AUDIENCE;
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::error::Code};

use super::Setup;

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let setup = Setup::with(&json!({"audience": [AUDIENCE, "ioc-console"]})).await;
    for audience in [json!(AUDIENCE), json!("ioc-console"), json!(["else", AUDIENCE])] {
        setup.is_let_in(&setup.token(&json!({"aud": audience}))).await;
    }
    for audience in
        [Value::Null, json!("else"), json!(["else"]), json!([]), json!(""), json!(7), json!({"a": AUDIENCE})]
    {
        setup.is_refused(&setup.token(&json!({"aud": audience}))).await;
    }
}

#[tokio::test]
async fn a_token_is_valid_within_its_times_plus_or_minus_the_skew() {
    let setup = Setup::with(&json!({"clock_skew_seconds": 30})).await;
    let now = setup.clock.now().timestamp();
    for good in [
        json!({"exp": now - 29}),
        json!({"nbf": now + 30}),
        json!({"iat": now + 30}),
        json!({"iat": null}),
        json!({"exp": now - 29, "nbf": now - 100, "iat": now - 100}),
        json!({"exp": f64::from(u32::try_from(now).unwrap()) - 29.5}),
    ] {
        setup.is_let_in(&setup.token(&good)).await;
    }
    for wrong in [
        json!({"exp": now - 30}),
        json!({"exp": now - 31}),
        json!({"nbf": now + 31}),
        json!({"iat": now + 31}),
        json!({"exp": null}),
        json!({"exp": "soon"}),
        json!({"exp": (now + 600).to_string()}),
        json!({"exp": 1e300}),
        json!({"exp": -1}),
        json!({"nbf": "now"}),
        json!({"iat": []}),
    ] {
        setup.is_refused(&setup.token(&wrong)).await;
    }
}

#[tokio::test]
async fn a_cached_token_still_expires_at_its_time() {
    let setup = Setup::with(&json!({"clock_skew_seconds": 0})).await;
    let token = setup.token(&json!({"exp": setup.clock.now().timestamp() + 2}));
    setup.is_let_in(&token).await;
    setup.clock.advance(TimeDelta::microseconds(1_999_999));
    setup.is_let_in(&token).await;
    setup.clock.advance(TimeDelta::microseconds(1));
    setup.is_refused(&token).await;
}

#[tokio::test]
async fn a_token_without_subject_or_known_tenant_is_refused_with_the_same_message() {
    let setup = Setup::new().await;
    for wrong in [
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "a\nb"}),
        json!({"sub": "x".repeat(256)}),
        json!({"tenant": null}),
        json!({"tenant": ""}),
        json!({"tenant": "nobody-here"}),
        json!({"tenant": "01900000-0000-7000-8000-000000000000"}),
        json!({"tenant": "' or true --"}),
        json!({"tenant": [setup.world.tenant.slug]}),
        json!({"iss": null}),
        json!({"iss": [setup.issuer.url]}),
        json!({"iss": format!("{}/", setup.issuer.url)}),
    ] {
        setup.is_refused(&setup.token(&wrong)).await;
    }
    let id = setup.world.tenant.id.to_string();
    for named in [id.clone(), id.to_uppercase(), setup.world.tenant.slug.clone()] {
        let person = setup.person(&setup.token(&json!({"tenant": named}))).await.unwrap();
        assert_eq!((person.tenant_id, person.home_tenant_id), (setup.world.tenant.id, setup.world.tenant.id));
    }
}

#[tokio::test]
async fn the_tenant_may_come_from_a_nested_claim_or_from_the_configuration() {
    let nested = Setup::with(&json!({"tenant_claim": "app_metadata.organisation"})).await;
    let named = json!({"tenant": null, "app_metadata": {"organisation": nested.world.tenant.slug}});
    nested.is_let_in(&nested.token(&named)).await;
    nested.is_refused(&nested.token(&json!({}))).await;

    let fixed = Setup::with(&json!({"tenant": "acme"})).await;
    fixed.is_refused(&fixed.token(&json!({}))).await;
    fixed.owner.run("update tenants set slug = 'acme'").await;
    let other = fixed.world.another_tenant().await;
    let person = fixed.person(&fixed.token(&json!({"tenant": other.slug}))).await.unwrap();
    assert_eq!(person.tenant_id, fixed.world.tenant.id, "what the token says does not matter");
}

#[tokio::test]
async fn an_issuer_that_names_roles_decides_them() {
    let settings = json!({"role_claim": "groups", "role_map": {"engineers": "member", "owners": "admin"}});
    let setup = Setup::with(&settings).await;
    let role = async |groups: Value| setup.person(&setup.token(&json!({"groups": groups}))).await.map(|one| one.role);
    assert_eq!(role(json!("lead")).await.unwrap(), Role::Lead);
    assert_eq!(role(json!(["viewer", "engineers", "cooks"])).await.unwrap(), Role::Member);
    assert_eq!(role(json!(["owners", "viewer"])).await.unwrap(), Role::Viewer, "this issuer makes no admins");
    for unknown in [Value::Null, json!([]), json!("cooks"), json!(["admin", "owners"]), json!(4)] {
        let token = setup.token(&json!({"groups": unknown}));
        let problem = setup.caller(&token).get("/sessions").await.problem(403, "FORBIDDEN");
        assert_eq!(problem["detail"], "Your token names no known role.", "{unknown}");
    }
    let viewer = setup.token(&json!({"groups": "viewer"}));
    setup.caller(&viewer).get("/api/v1/audit").await.problem(403, "FORBIDDEN");
    setup.caller(&setup.token(&json!({"groups": "lead"}))).get("/api/v1/audit").await.expect(200);
}

#[tokio::test]
async fn only_a_permitted_issuer_can_create_an_admin() {
    let trusted = Setup::with(&json!({"role_claim": "role", "allow_admin": true})).await;
    let admin = trusted.token(&json!({"role": ["viewer", "admin"]}));
    assert_eq!(trusted.person(&admin).await.unwrap().role, Role::Admin);
    assert_eq!(trusted.owner.texts("select role from users").await, ["lead"], "its keys are no admin's");
    let other = trusted.world.another_tenant().await;
    trusted.caller(&admin).with("x-tenant-id", &other.slug).get("/sessions").await.expect(200);
    let lead = trusted.caller(&trusted.token(&json!({"role": "lead"}))).with("x-tenant-id", &other.slug);
    lead.get("/sessions").await.problem(403, "TENANT_MISMATCH");

    let plain = Setup::new().await;
    plain.is_let_in(&plain.token(&json!({"role": "admin"}))).await;
    plain.owner.run("update users set role = 'admin'").await;
    assert_eq!(plain.person(&plain.token(&json!({"jti": "again"}))).await.unwrap().role, Role::Lead);
}

#[tokio::test]
async fn an_issuer_without_roles_leaves_the_role_of_the_user_row() {
    let setup = Setup::new().await;
    let named = setup.token(&json!({"role": "lead"}));
    assert_eq!(setup.person(&named).await.unwrap().role, Role::Viewer, "as the tenant says of those who sign up");
    setup.owner.run("update users set role = 'member'").await;
    assert_eq!(setup.person(&setup.token(&json!({"jti": "again"}))).await.unwrap().role, Role::Member);
    assert_eq!(
        setup.code(&setup.token(&json!({"sub": "eve", "email_verified": false}))).await,
        Some(Code::Unauthenticated)
    );
}
