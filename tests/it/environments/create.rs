//! `POST /environments`, `GET /environments`, `GET /environments/{id}`.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{PATH, create_environment, refused_fields};

/// All fields of an environment that a caller sends.
fn full() -> Value {
    json!({
        "name": "backend",
        "is_default": true,
        "repositories": [
            {"url": "https://git.example.com/team/app.git", "ref": "main"},
            {"url": "git@git.example.com:team/lib.git", "path": "libs/core"},
        ],
        "setup": {"script": "make deps", "timeout_seconds": 60},
        "variables": {"RUST_LOG": "debug"},
        "secrets": ["NPM_TOKEN"],
        "network": {"setup": "allowlist", "agent": "none", "domains": ["*.crates.io", "crates.io.example"]},
        "mcp_servers": [
            {"name": "files", "command": "mcp-files", "arguments": ["--root", "/work"], "variables": {"A": "b"}},
            {"name": "docs", "url": "https://docs.example.com/mcp", "headers": {"X-Team": "a"}},
        ],
        "rules": "Write tests first.",
        "cpu": 2.0,
        "memory_mb": 2048,
        "minimum_isolation": "sandbox",
        "agent": {"program": "opencode", "model": "anthropic/claude", "mode": "build", "permissions": {"execute": "ask", "default": "allow"}},
    })
}

#[tokio::test]
async fn an_environment_is_created_shown_and_listed_with_all_its_fields() {
    let world = TestApp::full().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let reply = lead.post(PATH, full()).await;
    assert_eq!(reply.headers["etag"], "\"1\"");
    let location = reply.headers["location"].to_str().unwrap().to_owned();
    let created = reply.expect(201);
    for (field, sent) in full().as_object().unwrap() {
        assert_eq!(&created[field], sent, "{field}");
    }
    assert_eq!((&created["version"], &created["created_by"]["kind"]), (&json!(1), &json!("key")));
    assert_eq!(member.get(&location).await.expect(200), created);
    let second = create_environment(&lead, "empty", json!({})).await;
    let page = member.get(&format!("{PATH}?limit=1")).await.expect(200);
    assert_eq!(page["items"][0]["id"], json!(second));
    let rest = member.get(&format!("{PATH}?cursor={}", page["next_cursor"].as_str().unwrap())).await.expect(200);
    assert_eq!((&rest["items"][0], &rest["next_cursor"]), (&created, &Value::Null));
    member.cannot_query(PATH, &["limit=0", "limit=201", "cursor=x", "unknown=1"]).await;
}

#[tokio::test]
async fn an_environment_of_a_name_alone_has_the_defaults() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let created = lead.post(PATH, json!({"name": "empty"})).await.expect(201);
    let expected = json!({
        "repositories": [], "setup": null, "variables": {}, "secrets": [], "mcp_servers": [], "rules": "", "cpu": null,
        "network": {"setup": "open", "agent": "none", "domains": []},
        "memory_mb": null, "minimum_isolation": "none", "agent": null, "is_default": false,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&created[field], value, "{field}");
    }
    let setup = lead.post(PATH, json!({"name": "one", "setup": {"script": "true"}})).await.expect(201);
    assert_eq!(setup["setup"], json!({"script": "true", "timeout_seconds": 300}));
}

#[tokio::test]
async fn an_invalid_environment_is_refused_with_every_fault_and_not_created() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let before = owner.dump().await;
    let body = json!({
        "name": "01900000-0000-7000-8000-000000000000",
        "repositories": [{"url": "http://example.com/a"}, {"url": "https://169.254.169.254/a.git", "path": "../a"}],
        "setup": {"script": "", "timeout_seconds": 0},
        "variables": {"IOC_KEY": "x"},
        "secrets": ["A-B"],
        "network": {"agent": "allowlist"},
        "mcp_servers": [{"name": "both", "command": "a", "url": "https://example.com"}],
        "cpu": 0.05,
        "memory_mb": 9000,
        "agent": {"program": "Open Code"},
    });
    let problem = lead.post(PATH, body).await.problem(422, "VALIDATION_FAILED");
    let expected = [
        "name",
        "repositories[0].url",
        "repositories[1].url",
        "repositories[1].path",
        "setup.script",
        "setup.timeout_seconds",
        "variables.IOC_KEY",
        "secrets[0]",
        "network.domains",
        "mcp_servers[0].command",
        "agent.program",
        "cpu",
        "memory_mb",
    ];
    assert_eq!(refused_fields(&problem), expected);
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn an_environment_that_contradicts_itself_or_another_is_refused() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    create_environment(&lead, "taken", json!({})).await;
    let before = owner.dump().await;
    let contradiction = json!({"name": "one", "variables": {"A": "b"}, "secrets": ["A"]});
    let problem = lead.post(PATH, contradiction).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(refused_fields(&problem), ["secrets[0]"]);
    for wrong in
        [json!({"minimum_isolation": "vm"}), json!({"agent": {"permissions": {"sudo": "allow"}}}), json!({"x": 1})]
    {
        let mut body = json!({"name": "one"});
        body.as_object_mut().unwrap().extend(wrong.as_object().cloned().unwrap());
        lead.post(PATH, body).await.problem(422, "VALIDATION_FAILED");
    }
    lead.post(PATH, json!({"name": "taken"})).await.problem(409, "ALREADY_EXISTS");
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_repeated_creation_with_a_key_makes_one_environment() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead).with("idempotency-key", "once");
    let first = lead.post(PATH, json!({"name": "backend"})).await.expect(201);
    let again = lead.post(PATH, json!({"name": "backend"})).await;
    assert_eq!(again.headers["idempotent-replay"], "true");
    assert_eq!(again.expect(201), first);
    let all = world.caller(Role::Member).get(PATH).await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_tenant_has_a_bounded_number_of_environments() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let tenant = world.tenant.id;
    owner
        .run(&format!(
            "insert into environments (tenant_id, id, name, version, created_by, created_at, updated_at)
             select '{tenant}', gen_random_uuid(), 'e' || n, 1, '{{}}', now(), now() from generate_series(1, 200) n"
        ))
        .await;
    lead.post(PATH, json!({"name": "one-more"})).await.problem(429, "QUOTA_EXCEEDED");
    owner.run("update environments set deleted_at = now() where name = 'e1'").await;
    lead.post(PATH, json!({"name": "one-more"})).await.expect(201);
}
