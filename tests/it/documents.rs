//! Public routes: health, readiness, the `OpenAPI` document and its page.

use std::collections::BTreeSet;

use harness::{Options, TestApp, child_process::root, openapi};
use serde_json::{Value, json};
use shared::identity::auth::Role;

#[tokio::test]
async fn health_calls_no_dependency_and_names_the_running_version() {
    let redis_url = Some("redis://127.0.0.1:1".to_owned());
    let world = TestApp::idle(Options { redis_url, ..Options::default() }).await;
    let health = world.nobody().get("/health").await.expect(200);
    assert_eq!(health["status"], "ok");
    assert!(
        health["version"].is_string() && health["commit"].is_string() && health["uptime_seconds"].is_u64(),
        "{health}"
    );
}

#[tokio::test]
async fn readiness_reports_whether_each_service_answers() {
    let world = TestApp::full().await;
    let ready = world.nobody().get("/ready").await.expect(200);
    assert_eq!(ready["status"], "ready");
    let redis_url = Some("redis://127.0.0.1:1".to_owned());
    let down = TestApp::idle(Options { redis_url, ..Options::default() }).await;
    let unready = down.nobody().get("/ready").await.expect(503);
    assert_eq!(unready["status"], "unavailable");
    for (name, ok) in [("postgres", true), ("redis", false), ("queue", true)] {
        assert_eq!(ready["checks"][name]["ok"], true);
        assert_eq!(unready["checks"][name]["ok"], ok, "{name}");
        assert!(unready["checks"][name]["latency_ms"].is_u64());
    }
}

#[tokio::test]
async fn sessions_are_created_read_and_run_without_redis() {
    let redis_url = Some("redis://127.0.0.1:1".to_owned());
    let world = TestApp::with(Options { redis_url, ..Options::default() }).await;
    let caller = world.caller(shared::identity::auth::Role::Member);
    let id = caller.run_script(json!([{"do": "say", "text": "Done."}])).await;
    caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn the_openapi_document_and_its_page_are_served() {
    let world = TestApp::full().await;
    let nobody = world.nobody();
    let reply = nobody.get("/openapi.json").await;
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.expect(200), openapi::document());
    let page = nobody.get("/docs/").await;
    assert_eq!(page.status, 200);
    let text = String::from_utf8_lossy(&page.bytes).into_owned();
    assert!(!text.contains("://"), "the page must not load anything from another host: {text}");
    for script in text.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let script = nobody.get(script).await;
        // Lambda returns at most 6 MB, in which compressed bytes are base64.
        assert!((100..4_500_000).contains(&script.bytes.len()), "{} bytes", script.bytes.len());
    }
}

/// `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn the_openapi_document_in_docs_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let generated = serde_json::to_string_pretty(&openapi::document()).unwrap() + "\n";
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration but their environment")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == generated, "docs/openapi.json is not what the code generates: run this test with UPDATE_GOLDEN=1");
}

/// All values below a key, wherever it stands.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key));
            map.values().for_each(|value| all(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| all(value, key, found)),
        _ => {}
    }
}

#[test]
fn the_openapi_3_1_document_has_valid_references_and_parameters() {
    let document = openapi::document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut references = Vec::new();
    all(&document, "$ref", &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.as_str().unwrap().strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut ids = BTreeSet::new();
    for operation in openapi::operations() {
        let what = format!("{} {}", operation.method, operation.path);
        assert!(ids.insert(operation.described["operationId"].as_str().unwrap().to_owned()), "{what}: its id is taken");
        let none = Vec::new();
        let parameters = operation.described["parameters"].as_array().unwrap_or(&none);
        let named: BTreeSet<_> =
            parameters.iter().filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap()).collect();
        let in_path: BTreeSet<_> =
            operation.path.split('{').skip(1).map(|part| part.split('}').next().unwrap()).collect();
        assert_eq!(named, in_path, "{what}");
        for parameter in parameters {
            assert!(parameter["schema"].is_object(), "{what}: {parameter}");
            assert_eq!(
                parameter["in"] == "path",
                parameter["required"] == json!(true) && parameter["in"] == "path",
                "{what}"
            );
        }
        assert_responses_are_described(&operation);
    }
}

fn assert_responses_are_described(operation: &openapi::Operation) {
    let what = format!("{} {}", operation.method, operation.path);
    let responses = operation.described["responses"].as_object().unwrap();
    assert!(responses.keys().any(|code| code.starts_with('2')), "{what}");
    let document = openapi::document();
    for (code, response) in responses {
        let component = response["$ref"].as_str().and_then(|pointer| document.pointer(pointer.trim_start_matches('#')));
        let response = component.unwrap_or(response);
        assert!(response["description"].is_string(), "{what} {code}");
        if code.starts_with(['4', '5']) && !operation.is_open() {
            let form = if operation.speaks_a2a() { "application/json" } else { "application/problem+json" };
            assert!(response["content"][form]["schema"].is_object(), "{what} {code}");
        }
    }
}

#[test]
fn every_problem_code_is_in_the_openapi_document() {
    let document = openapi::document();
    let codes = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap();
    for code in
        ["VALIDATION_FAILED", "INVALID_TRANSITION", "SESSION_NOT_FOUND", "TENANT_MISMATCH", "TOKEN_QUOTA_EXCEEDED"]
    {
        assert!(codes.contains(&json!(code)), "{code}");
    }
}

/// The content of all files with these extensions below folders of the checkout.
fn sources(folders: &[&str], endings: &[&str]) -> String {
    let mut folders: Vec<_> = folders.iter().map(|folder| harness::child_process::root().join(folder)).collect();
    let mut sources = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| endings.iter().any(|ending| *ending == extension)) {
                sources += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    sources
}

/// The claims that `docs/threat-model.md` names: what stands in backticks and reads like a sentence. Those of the
/// dashboard have blanks between their words.
#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = harness::child_process::root();
    let text = std::fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let names: BTreeSet<_> = text.split('`').skip(1).step_by(2).collect();
    let reads = |name: &str, between: u8, least: usize| {
        let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == between || b == b',';
        name.bytes().filter(|b| *b == between).count() >= least && name.bytes().all(is_word)
    };
    let claims: Vec<_> = names.iter().filter(|name| reads(name, b'_', 3)).collect();
    assert!(claims.len() > 20, "{claims:?}");
    let rust = sources(&["tests/it", "shared/src", "infra/local/src", "runner/src", "runner/tests"], &["rs"]);
    for claim in claims {
        assert!(rust.contains(&format!("fn {claim}(")), "{claim}");
    }
    let claims: Vec<_> = names.iter().filter(|name| reads(name, b' ', 5)).collect();
    assert!(claims.len() > 3, "{claims:?}");
    let pages = sources(&["dashboard/src", "dashboard/e2e"], &["ts", "tsx"]);
    for claim in claims {
        assert!(pages.contains(&format!("test(\"{claim}\"")), "{claim}");
    }
}

#[test]
fn the_template_leaves_cross_origin_calls_to_the_functions() {
    let template = std::fs::read_to_string(harness::child_process::root().join("template.yaml")).unwrap();
    assert!(!template.contains("CorsConfiguration"));
    assert!(template.contains("CORS_ORIGINS"));
}

/// The first JSON block of a document.
fn example_of(document: &str) -> Value {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let block = text.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    serde_json::from_str(block.unwrap()).unwrap()
}

#[tokio::test]
async fn the_example_of_the_scripted_agent_plays_as_documented() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let created = caller.post("/sessions", example_of("docs/scripted-agent.md")).await.expect(201);
    let id = created["id"].as_str().unwrap();
    let asking = caller.reaches(id, &["paused"]).await;
    assert_eq!(asking["pause"]["question"]["text"], "Which version?", "{asking:#}");
    let answer = json!({"answer": {"question_id": "q1", "choices": ["2"]}});
    caller.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
    let ended = caller.reaches(id, &["completed"]).await;
    assert_eq!(ended["usage"]["tokens_input"], 1200, "{ended:#}");
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!(diff["items"][0]["path"], "src/parser.rs");
}
