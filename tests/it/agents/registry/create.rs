//! `POST /agents`, `GET /agents/{id}`.

use futures_util::future::join_all;
use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::{agents::registry::Capability, app::Settings, identity::auth::Role};

use super::{AGENTS, UNKNOWN, all, audited, named};

fn called(name: &str, kind: &str) -> Value {
    json!({"name": name, "agent_type": "reviewer", "kind": kind, "capabilities": ["code_review"],
           "endpoint_url": "https://agents.example.com/a", "endpoint_secret": "hush-hush-1234"})
}

#[expect(clippy::needless_pass_by_value, reason = "its callers write literals")]
fn with_fields(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_created_agent_reads_back_with_every_field() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let more = json!({"skills": ["rust", "python_expert", "rust"], "capacity": 50, "description": "Reads\neverything.",
                      "version": "1.2.3", "metadata": {"team": ["a", {"b": 1}]}});
    let reply = lead.post(AGENTS, with_fields(called("reviewer-1", "a2a"), more)).await;
    assert_eq!(reply.headers["etag"], "\"1\"");
    let place = reply.headers["location"].to_str().unwrap().to_owned();
    let mut made = reply.expect(201);
    assert_eq!(made.as_object_mut().unwrap().remove("probe").unwrap()["ok"], false, "nothing answers there");
    assert_eq!(place, format!("{AGENTS}/{}", made["id"].as_str().unwrap()));
    for (field, value) in [
        ("name", json!("reviewer-1")),
        ("kind", json!("a2a")),
        ("agent_type", json!("reviewer")),
        ("capabilities", json!(["code_review"])),
        ("skills", json!(["rust", "python_expert"])),
        ("capacity", json!(50)),
        ("description", json!("Reads\neverything.")),
        ("version", json!("1.2.3")),
        ("metadata", json!({"team": ["a", {"b": 1}]})),
        ("endpoint_url", json!("https://agents.example.com/a")),
        ("status", json!("offline")),
        ("on_probation", json!(true)),
        ("trusted", json!(false)),
        ("restricted", json!(false)),
        ("state", json!("active")),
        ("tier", json!("standard")),
        ("load_level", json!("idle")),
        ("tasks_in_progress", json!(0)),
        ("owner", json!("own")),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert_eq!((&made["figures"]["finished"], &made["reported"]["status"]), (&json!(0), &Value::Null));
    assert!(made.get("auth_token").is_none(), "we call it, it does not call us");
    assert_eq!(world.caller(Role::Viewer).get(&place).await.expect(200), made);
}

#[tokio::test]
async fn a_pulling_agent_gets_its_token_once_and_is_offline_until_its_first_heartbeat() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let made = lead.post(AGENTS, named("eap-1")).await.expect(201);
    let token = made["auth_token"].as_str().unwrap().to_owned();
    assert_eq!((&made["status"], &made["capacity"]), (&json!("offline"), &json!(5)));
    let place = format!("{AGENTS}/{}", made["id"].as_str().unwrap());
    assert!(lead.get(&place).await.expect(200).get("auth_token").is_none());
    let as_agent = world.nobody().with("x-agent-token", &token).with("x-tenant-id", &world.tenant.slug);
    let problem = as_agent.get(&place).await.problem(403, "FORBIDDEN");
    assert!(problem["detail"].as_str().unwrap().contains("agent"), "the token is known, and opens nothing of people's");
    let owner = world.superuser().await;
    assert!(owner.dump().await.values().all(|rows| !rows.contains(&token)), "it is kept nowhere");
}

#[tokio::test]
async fn only_the_listed_capabilities_are_accepted() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let mut body = named("all");
    body["capabilities"] = json!(Capability::ALL.map(Capability::name).to_vec());
    assert_eq!(
        lead.post(AGENTS, body).await.expect(201)["capabilities"],
        json!(Capability::ALL.map(Capability::name).to_vec())
    );
    let mut body = named("more");
    body["capabilities"] = json!(["testing", "python_expert", "", "Testing"]);
    let problem = lead.post(AGENTS, body).await.problem(422, "VALIDATION_FAILED");
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    assert_eq!(fields, ["capabilities[1]", "capabilities[2]", "capabilities[3]"]);
}

/// Values that break a rule of their field.
fn invalid_fields() -> Vec<(&'static str, Value)> {
    vec![
        ("name", json!("")),
        ("name", json!("a b")),
        ("name", json!("x".repeat(101))),
        ("name", json!("'; drop table agents; --")),
        ("name", json!("<script>")),
        ("name", json!("a\0")),
        ("name", json!("\u{430}gent")),
        ("name", json!(UNKNOWN)),
        ("agent_type", json!("boss")),
        ("kind", json!("scripted")),
        ("kind", json!("manual")),
        ("kind", json!("http")),
        ("kind", json!("opencode")),
        ("capacity", json!(0)),
        ("capacity", json!(51)),
        ("capacity", json!(-1)),
        ("capacity", json!(i64::MAX)),
        ("capacity", json!(1.5)),
        ("description", json!("x".repeat(1001))),
        ("description", json!("\0")),
        ("version", json!("a\r\nb")),
        ("version", json!("x".repeat(101))),
        ("endpoint_secret", json!("")),
        ("endpoint_secret", json!("a\nb")),
        ("endpoint_secret", json!("x".repeat(1001))),
        ("metadata", json!({"a": "x".repeat(17 * 1024)})),
        ("metadata", json!({"a": "\0"})),
        ("metadata", json!([])),
        ("id", json!(UNKNOWN)),
        ("tenant_id", json!(UNKNOWN)),
        ("state", json!("active")),
    ]
}

#[tokio::test]
async fn an_invalid_request_is_refused_by_field_and_changes_nothing() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let before = owner.dump().await;
    for (field, value) in invalid_fields() {
        let mut body = called("reviewer", "a2a");
        body[field] = value.clone();
        let problem = lead.post(AGENTS, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{value}");
    }
    let many: Vec<_> = (0..101).map(|at| format!("skill-{at}")).collect();
    for (skills, field) in [(json!(many), "skills"), (json!(["Rust"]), "skills[0]"), (json!(["a", "b c"]), "skills[1]")]
    {
        let mut body = named("skilled");
        body["skills"] = skills;
        let problem = lead.post(AGENTS, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    let mut body = called("reviewer", "a2a");
    body.as_object_mut().unwrap().remove("endpoint_url");
    let problem = lead.post(AGENTS, body).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "endpoint_url");
    let mut pushed = called("pushed", "eap");
    let problem = lead.post(AGENTS, pushed.clone()).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "endpoint_secret", "pushes are signed");
    pushed.as_object_mut().unwrap().remove("endpoint_secret");
    lead.post(AGENTS, pushed).await.problem(422, "VALIDATION_FAILED");
    world.caller(Role::Viewer).post(AGENTS, named("a")).await.problem(403, "FORBIDDEN");
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn an_endpoint_inside_our_network_is_refused_unless_it_is_allowed() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let ours = [
        "http://agents.example.com/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1:4096/",
        "https://user:secret@agents.example.com/",
        "file:///etc/passwd",
        "https://agents.example.com/ ",
        "https://agents.example.com/\n",
        "agents.example.com",
        "",
    ];
    for url in ours {
        let mut body = called("reviewer", "a2a");
        body["endpoint_url"] = json!(url);
        let problem = lead.post(AGENTS, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "endpoint_url", "{url:?}");
    }
    let settings = Settings { outbound: "127.0.0.1:4096".parse().unwrap(), ..Settings::default() };
    let world = TestApp::idle(Options { settings, ..Options::default() }).await;
    let mut body = called("reviewer", "a2a");
    body["endpoint_url"] = json!("http://127.0.0.1:4096/");
    world.caller(Role::Lead).post(AGENTS, body).await.expect(201);
}

#[tokio::test]
async fn a_secret_is_neither_returned_nor_stored_in_the_clear_nor_audited() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let mut answers = Vec::new();
    let made = lead.post(AGENTS, called("reviewer", "a2a")).await.expect(201);
    let place = format!("{AGENTS}/{}", made["id"].as_str().unwrap());
    answers.push(made);
    answers.push(lead.get(&place).await.expect(200));
    answers.push(lead.patch(&place, json!({"endpoint_secret": "hush-hush-5678"})).await.expect(200));
    answers.push(lead.get(AGENTS).await.expect(200));
    let audit = audited(&world).await;
    assert_eq!(all(&audit, "action"), ["agent.update", "agent.create"]);
    assert_eq!(audit["items"][0]["after"], json!({"endpoint_secret": "[redacted]"}));
    assert_eq!(audit["items"][1]["after"]["endpoint_secret"], "[redacted]");
    answers.push(audit);
    let rows = world.superuser().await.dump().await;
    for text in answers.iter().map(Value::to_string).chain(rows.into_values()) {
        assert!(!text.contains("hush-hush"), "{text}");
        assert!(!text.contains(&hex::encode("hush-hush")), "{text}");
    }
    let sealed = "select count(*) from agents where octet_length(endpoint_secret) > 0";
    assert_eq!(world.superuser().await.number(sealed).await, 1);
}

#[tokio::test]
async fn only_one_of_100_concurrent_same_named_agents_is_created_and_removal_frees_it() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let made = join_all((0..100).map(|_| lead.post(AGENTS, named("one")))).await;
    assert_eq!(made.iter().filter(|reply| reply.status == 201).count(), 1);
    assert!(made.iter().filter(|reply| reply.status != 201).all(|reply| reply.code() == "ALREADY_EXISTS"));
    assert_eq!(world.superuser().await.number("select count(*) from agent_tokens").await, 1, "none for those refused");
    let other = world.another_tenant().await;
    world.caller_of(&other, Role::Lead).post(AGENTS, named("one")).await.expect(201);
    let listed = lead.get(&format!("{AGENTS}?q=one&kind=eap")).await.expect(200);
    let place = format!("{AGENTS}/{}", listed["items"][0]["id"].as_str().unwrap());
    assert_eq!(lead.delete(&place).await.status, 204);
    lead.post(AGENTS, named("one")).await.expect(201);
}

#[tokio::test]
async fn a_repeated_request_with_one_key_creates_one_agent_and_repeats_no_token() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead).with("idempotency-key", "once");
    lead.post(AGENTS, named("one")).await.expect(201);
    let second = lead.post(AGENTS, named("one")).await;
    assert_eq!(second.headers["idempotent-replay"], "true");
    second.problem(409, "SECRET_SHOWN_ONCE");
    assert_eq!(world.superuser().await.number("select count(*) from agent_tokens").await, 1);
}
