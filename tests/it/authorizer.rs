//! What API Gateway's authorizer answers, to the event that API Gateway sends: what the extractors would, and no when
//! nobody can say.

use functions::host::authorize;
use harness::{Options, TestApp, issuer::Issuer};
use serde_json::{Value, json};
use shared::{app::App, identity::auth::Role, kernel::clock::Clock};

/// The event of API Gateway, with these headers besides; null takes one away.
fn event(headers: &Value) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../events/authorize.json")).unwrap();
    let sent = event["headers"].as_object_mut().unwrap();
    sent.remove("authorization");
    sent.remove("x-tenant-id");
    sent.extend(headers.as_object().unwrap().clone());
    event
}

async fn asked(app: &App, headers: &Value) -> Value {
    serde_json::to_value(authorize(app, event(headers)).await).unwrap()
}

fn bearer(text: &str) -> Value {
    json!({"authorization": format!("Bearer {text}")})
}

#[tokio::test]
async fn a_valid_credential_of_each_kind_is_allowed_and_identified() {
    let issuer = Issuer::start(&Clock::System).await;
    let issuers = vec![issuer.settings(&json!({}))];
    let world = TestApp::idle(Options { issuers, ..Options::default() }).await;
    let owner = world.superuser().await;
    owner.run("update tenants set signup = true").await;
    let agent = shared::kernel::id::AgentId::new();
    let (tenant, by) = (world.tenant.id, shared::kernel::actor::Actor::system_part("test"));
    owner
        .run(&format!(
            "insert into agents (id, tenant_id, name, kind, created_at, updated_at)
             values ('{agent}', '{tenant}', 'theirs', 'manual', now(), now())"
        ))
        .await;
    let token = shared::identity::auth::agent_tokens::create(&world.app, tenant, by, agent, None).await.unwrap().text;
    let person = issuer.token(&json!({"tenant": world.tenant.slug}));
    let key = world.tenant.key(Role::Viewer);
    let cases = [
        (bearer(key), format!("key:{}", world.tenant.key_id(Role::Viewer))),
        (bearer(&person), "user:".to_owned()),
        (bearer(&token), format!("agent:{agent}")),
        (json!({"x-agent-token": token}), format!("agent:{agent}")),
        (json!({"authorization": format!("Bearer {key}"), "x-tenant-id": world.tenant.slug}), "key:".to_owned()),
    ];
    for (headers, principal) in cases {
        let verdict = asked(&world.app, &headers).await;
        assert_eq!(verdict["isAuthorized"], true, "{headers}");
        assert_eq!(verdict["context"]["tenant_id"], tenant.to_string());
        assert!(verdict["context"]["principal"].as_str().unwrap().starts_with(&principal), "{verdict}");
    }
}

#[tokio::test]
async fn an_invalid_credential_of_any_kind_is_denied() {
    let world = TestApp::full().await;
    let other = world.another_tenant().await;
    let key = world.tenant.key(Role::Lead);
    let wrong = [
        json!({}),
        bearer("nonsense"),
        bearer("a.b.c"),
        bearer(&format!("{key}0")),
        json!({"authorization": key}),
        json!({"authorization": format!("Bearer {key},Bearer {key}")}),
        json!({"x-agent-token": key}),
        json!({"authorization": format!("Bearer {key}"), "x-agent-token": key}),
        json!({"authorization": format!("Bearer {key}"), "x-tenant-id": other.slug}),
    ];
    for headers in &wrong {
        assert_eq!(asked(&world.app, headers).await, json!({"isAuthorized": false, "context": {}}), "{headers}");
    }
    for nonsense in [json!(null), json!({}), json!([]), json!({"headers": bearer(key)})] {
        assert!(!authorize(&world.app, nonsense).await.is_authorized);
    }
    world.superuser().await.run(&format!("update tenants set is_active = false where id = '{}'", other.id)).await;
    assert_eq!(asked(&world.app, &bearer(other.key(Role::Admin))).await["isAuthorized"], false);
}

/// A browser sends no credential with what it asks before a call, so the answer is the functions' alone.
#[tokio::test]
async fn only_a_cors_preflight_is_allowed_without_a_credential() {
    let world = TestApp::full().await;
    for (method, may) in [("OPTIONS", true), ("GET", false), ("POST", false), ("DELETE", false), ("options", false)] {
        let mut event = event(&json!({"origin": "https://pages.example"}));
        event["requestContext"]["http"]["method"] = json!(method);
        let verdict = serde_json::to_value(authorize(&world.app, event).await).unwrap();
        assert_eq!(verdict, json!({"isAuthorized": may, "context": {}}), "{method}");
    }
}

#[tokio::test]
async fn nobody_is_allowed_while_the_database_or_the_issuer_is_down() {
    let world = TestApp::full().await;
    let issuer = Issuer::start(&Clock::System).await;
    issuer.is(harness::issuer::Mode::Failing(500));
    let options = || Options { issuers: vec![issuer.settings(&json!({}))], ..Options::default() };
    let token = issuer.token(&json!({"tenant": world.tenant.slug}));
    let without = harness::test_app::app("postgres://ioc_app@127.0.0.1:1/none", &harness::redis_url(), options());
    assert_eq!(asked(&without, &bearer(world.tenant.key(Role::Admin))).await["isAuthorized"], false);
    let with = harness::test_app::app(&world.database.url, &harness::redis_url(), options());
    assert_eq!(asked(&with, &bearer(&token)).await["isAuthorized"], false);
    assert_eq!(asked(&with, &bearer(world.tenant.key(Role::Admin))).await["isAuthorized"], true);
}
