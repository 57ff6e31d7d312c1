//! `POST /sessions`: every field at its limits and beyond, defaults, and what must not be.

use harness::{Caller, TestApp};
use serde_json::{Map, Value, json};
use shared::identity::auth::Role;

fn body(fields: &Value) -> Value {
    let mut body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

async fn refused(caller: &Caller, fields: Value, expected: &str) {
    let problem = caller.post("/sessions", body(&fields)).await.problem(422, "VALIDATION_FAILED");
    let names: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(names, [expected], "{}", fields.to_string().chars().take(200).collect::<String>());
}

async fn taken(caller: &Caller, fields: Value) -> Value {
    let reply = caller.post("/sessions", body(&fields)).await;
    assert_eq!(reply.status, 201, "{} {}", fields.to_string().chars().take(200).collect::<String>(), reply.json());
    reply.json()
}

fn text(length: usize) -> String {
    "ä".repeat(length)
}

/// An object that is `depth` levels deep.
fn deep(depth: usize) -> Value {
    (1..depth).fold(json!({}), |inner, _| json!({"k": inner}))
}

fn map_of(bytes: usize) -> Value {
    json!({"k": "x".repeat(bytes - r#"{"k":""}"#.len())})
}

/// For each limit a value that is just allowed, one that is not, and the field that the refusal names.
fn edges() -> Vec<(Value, Value, &'static str)> {
    [text_edges(), object_edges(), limit_edges()].concat()
}

fn text_edges() -> Vec<(Value, Value, &'static str)> {
    vec![
        (json!({"title": text(1)}), json!({"title": ""}), "title"),
        (json!({"title": text(200)}), json!({"title": text(201)}), "title"),
        (json!({"title": format!("  {}\n", text(200))}), json!({"title": " \t "}), "title"),
        (json!({"title": "My test session"}), json!({"title": " Test Session "}), "title"),
        (json!({"title": "new sessions"}), json!({"title": "NEW SESSION"}), "title"),
        (json!({"title": "untitled 1"}), json!({"title": "untitled"}), "title"),
        (json!({"title": "a coding task"}), json!({"title": "Coding task"}), "title"),
        (json!({"title": "development"}), json!({"title": "development session"}), "title"),
        (json!({"title": "a b"}), json!({"title": "a\tb"}), "title"),
        (json!({"title": "👩‍💻 pairs"}), json!({"title": "a\u{202e}b"}), "title"),
        (json!({"description": text(1000)}), json!({"description": text(1001)}), "description"),
        (json!({"initial_prompt": text(1)}), json!({"initial_prompt": "\n"}), "initial_prompt"),
        (json!({"initial_prompt": text(100_000)}), json!({"initial_prompt": text(100_001)}), "initial_prompt"),
        (json!({"priority": 0}), json!({"priority": -1}), "priority"),
        (json!({"priority": 4}), json!({"priority": 5}), "priority"),
        (json!({"priority": "critical"}), json!({"priority": "Critical"}), "priority"),
        (json!({"session_type": "debug"}), json!({"session_type": "Debug"}), "session_type"),
        (json!({"model_identifier": "a/b"}), json!({"model_identifier": "a"}), "model_identifier"),
        (
            json!({"model_identifier": "a/b/c:d".replace(':', "-")}),
            json!({"model_identifier": "a/b/"}),
            "model_identifier",
        ),
        (json!({"model_identifier": "a.b_c-d/E"}), json!({"model_identifier": "a b/c"}), "model_identifier"),
    ]
}

fn object_edges() -> Vec<(Value, Value, &'static str)> {
    let repository = |n: usize| json!({"repository": format!("https://h/{}", "r".repeat(n - "https://h/".len()))});
    let reference = |n: usize| json!({"repository": "https://h/r", "ref": "r".repeat(n)});
    let directory = |n: usize| json!({"directory": format!("/{}", "d".repeat(n - 1))});
    vec![
        (json!({"agent_config": {"a-b_C": 1}}), json!({"agent_config": {"a.b": 1}}), "agent_config.a.b"),
        (json!({"agent_config": {"agent": "manual"}}), json!({"agent_config": {"agent": 1}}), "agent_config.agent"),
        (
            json!({"agent_config": {"agent": "scripted"}}),
            json!({"agent_config": {"agent": "nobody"}}),
            "agent_config.agent",
        ),
        (json!({"agent_config": map_of(16 * 1024)}), json!({"agent_config": map_of(16 * 1024 + 1)}), "agent_config"),
        (json!({"agent_config": deep(32)}), json!({"agent_config": deep(33)}), "agent_config"),
        (json!({"workspace": repository(2048)}), json!({"workspace": repository(2049)}), "workspace.repository"),
        (
            json!({"workspace": {"repository": "git@h:a/b.git"}}),
            json!({"workspace": {"repository": "http://h/a"}}),
            "workspace.repository",
        ),
        (
            json!({"workspace": {"repository": "ssh://git@h/a"}}),
            json!({"workspace": {"repository": "https://u:p@h/a"}}),
            "workspace.repository",
        ),
        (json!({"workspace": reference(255)}), json!({"workspace": reference(256)}), "workspace.ref"),
        (
            json!({"workspace": {"repository": "https://h/r", "ref": "a/b"}}),
            json!({"workspace": {"repository": "https://h/r", "ref": "a..b"}}),
            "workspace.ref",
        ),
        (json!({"workspace": directory(1024)}), json!({"workspace": directory(1025)}), "workspace.directory"),
        (
            json!({"workspace": {"directory": "/srv"}}),
            json!({"workspace": {"directory": "srv"}}),
            "workspace.directory",
        ),
    ]
}

fn limit_edges() -> Vec<(Value, Value, &'static str)> {
    let many = |n: usize| (0..n).map(|n| format!("tag {n}")).collect::<Vec<_>>();
    vec![
        (json!({"workspace": null}), json!({"workspace": {}}), "workspace"),
        (json!({"max_duration_seconds": 60}), json!({"max_duration_seconds": 59}), "max_duration_seconds"),
        (json!({"max_duration_seconds": 86_400}), json!({"max_duration_seconds": 86_401}), "max_duration_seconds"),
        (json!({"cpu_limit": 0.1}), json!({"cpu_limit": 0.09}), "cpu_limit"),
        (json!({"cpu_limit": 8}), json!({"cpu_limit": 8.1}), "cpu_limit"),
        (json!({"memory_limit_mb": 100}), json!({"memory_limit_mb": 99}), "memory_limit_mb"),
        (json!({"memory_limit_mb": 8192}), json!({"memory_limit_mb": 8193}), "memory_limit_mb"),
        (json!({"parent_id": null}), json!({"parent_id": "me"}), "parent_id"),
        (json!({"tags": many(20)}), json!({"tags": many(21)}), "tags"),
        (json!({"tags": [text(50)]}), json!({"tags": [text(51)]}), "tags"),
        (json!({"tags": []}), json!({"tags": [" "]}), "tags"),
        (json!({"metadata": map_of(16 * 1024)}), json!({"metadata": map_of(16 * 1024 + 1)}), "metadata"),
        (json!({"metadata": deep(32)}), json!({"metadata": deep(33)}), "metadata"),
    ]
}

#[tokio::test]
async fn every_field_is_accepted_at_its_limit_and_refused_beyond_it() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    for (good, ..) in edges() {
        let made = taken(&caller, good.clone()).await;
        for (field, sent) in good.as_object().unwrap() {
            let sent = match sent {
                Value::String(text) => json!(text.trim()),
                Value::Number(number) if field == "cpu_limit" => json!(number.as_f64()),
                other => other.clone(),
            };
            match field.as_str() {
                "priority" => assert!(made["priority"] == sent || made["priority_level"] == sent),
                "workspace" if sent.is_object() => assert_eq!(made[field]["directory"], sent["directory"]),
                _ => assert_eq!(made[field], sent, "{field}"),
            }
        }
    }
    let before = owner.dump().await;
    for (_, bad, field) in edges() {
        refused(&caller, bad, field).await;
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn an_omitted_field_has_its_default() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let reply = caller.post("/sessions", body(&json!({}))).await;
    assert_eq!(reply.headers["etag"], "\"1\"");
    let made = reply.json();
    assert_eq!(reply.headers["location"], format!("/api/v1/sessions/{}", made["id"].as_str().unwrap()));
    let expected = json!({
        "tenant_id": world.tenant.id, "title": "Fix the parser", "description": null, "session_type": "execution",
        "priority": "medium", "priority_level": 2, "initial_prompt": "Do it.", "model_identifier": null,
        "agent_config": {}, "workspace": null, "max_duration_seconds": 3600, "cpu_limit": null, "memory_limit_mb": null,
        "parent_id": null, "root_id": made["id"], "depth": 1, "child_count": 0, "forked_from": null, "tags": [],
        "metadata": {}, "status": "pending", "pending_action": null, "pause_reason": null, "pause": null, "queue": null,
        "agent": null, "outcome": null, "retry_count": 0, "recoverable": false, "health_score": 0.8,
        "usage": {"tokens_input": 0, "tokens_output": 0, "tokens_reasoning": 0, "tokens_cached": 0, "cost_usd": "0.000000"},
        "checkpoint_count": 0, "last_event_seq": 1, "version": 1, "started_at": null, "ended_at": null,
        "created_by": {"kind": "key", "id": world.tenant.key_id(Role::Member), "name": "member"},
        "allowed_transitions": ["queued", "running", "cancelled", "failed", "orphaned"],
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&made[field], value, "{field}");
    }
    assert_eq!(caller.session(made["id"].as_str().unwrap()).await, made);
}

#[tokio::test]
async fn every_type_and_priority_is_accepted_and_shown_by_name_and_level() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    for kind in ["planning", "execution", "review", "debug", "integration"] {
        assert_eq!(taken(&caller, json!({"session_type": kind})).await["session_type"], kind);
    }
    for (level, word) in ["critical", "high", "medium", "low", "deferred"].into_iter().enumerate() {
        for sent in [json!(level), json!(word)] {
            let made = taken(&caller, json!({"priority": sent})).await;
            assert_eq!((&made["priority"], &made["priority_level"]), (&json!(word), &json!(level)));
        }
    }
}

const FIELDS: [&str; 15] = [
    "title",
    "description",
    "initial_prompt",
    "model_identifier",
    "parent_id",
    "session_type",
    "priority",
    "max_duration_seconds",
    "cpu_limit",
    "memory_limit_mb",
    "start",
    "tags",
    "agent_config",
    "workspace",
    "metadata",
];

#[tokio::test]
async fn a_field_of_a_wrong_type_is_refused_and_named() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let before = owner.dump().await;
    let kinds = [json!(7), json!("seven"), json!(true), json!([7]), json!({"seven": 7})];
    let takes = |field: &str| match field {
        "title" | "description" | "initial_prompt" | "model_identifier" | "parent_id" | "session_type" => 1,
        "max_duration_seconds" | "cpu_limit" | "memory_limit_mb" => 0,
        "start" => 2,
        "tags" => 3,
        _ => 4,
    };
    for field in FIELDS {
        for (at, wrong) in kinds.iter().enumerate().filter(|(at, _)| *at != takes(field)) {
            let mut fields = Map::new();
            fields.insert(field.to_owned(), wrong.clone());
            let reply = caller.post("/sessions", body(&Value::Object(fields))).await;
            let problem = reply.problem(422, "VALIDATION_FAILED");
            let named = problem["errors"][0]["field"].as_str().unwrap();
            assert!(named == field || named.starts_with(&format!("{field}[")), "{field} {at}: {problem}");
        }
    }
    for (field, wrong) in
        [("max_duration_seconds", json!(60.5)), ("memory_limit_mb", json!(1e30)), ("priority", json!(1.5))]
    {
        refused(&caller, json!({field: wrong}), field).await;
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn all_faults_of_a_session_are_named_at_once() {
    let world = TestApp::full().await;
    let wrong = json!({"title": "untitled", "initial_prompt": "", "priority": 9, "cpu_limit": 0, "tags": [""]});
    let problem = world.caller(Role::Member).post("/sessions", wrong).await.problem(422, "VALIDATION_FAILED");
    let names: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(names, ["title", "priority", "initial_prompt", "cpu_limit", "tags"]);
}

#[tokio::test]
async fn tags_are_trimmed_and_deduplicated() {
    let world = TestApp::full().await;
    let made = taken(&world.caller(Role::Member), json!({"tags": [" a ", "b", "a"]})).await;
    assert_eq!(made["tags"], json!(["a", "b"]));
}

#[tokio::test]
async fn an_unknown_parent_and_another_tenants_parent_are_refused_alike() {
    let world = TestApp::full().await;
    let other = world.another_tenant().await;
    let foreign = world.caller_of(&other, Role::Lead).new_session(json!({})).await;
    let unknown = uuid::Uuid::from_u128(7).to_string();
    let caller = world.caller(Role::Member);
    let mut reported = Vec::new();
    for id in [&foreign, &unknown] {
        let problem = caller.post("/sessions", body(&json!({"parent_id": id}))).await.problem(422, "VALIDATION_FAILED");
        reported.push(problem["errors"].to_string().replace(id, "ID"));
    }
    assert_eq!(reported[0], reported[1]);
}

#[tokio::test]
async fn a_session_created_with_immediate_start_runs() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let made = caller.post("/sessions", body(&json!({"start": true}))).await.expect(201);
    assert!(["queued", "running"].contains(&made["status"].as_str().unwrap()), "{made}");
    caller.reaches(made["id"].as_str().unwrap(), &["completed"]).await;
}
