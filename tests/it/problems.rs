//! Bad input, at every endpoint: each the right problem, none a 500, and no row changed.

use harness::{
    Caller, Reply, TestApp,
    eap_agent::EapAgent,
    merged,
    openapi::{Operation, guarded, operations},
};
use serde_json::{Value, json};
use shared::identity::auth::Role;

const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

/// A test app with one session that has a checkpoint.
async fn with_session() -> (TestApp, String) {
    let world = TestApp::full().await;
    let id = world.caller(Role::Member).new_session(json!({})).await;
    world.superuser().await.place(&id, "pending").await;
    (world, id)
}

fn with_json_bodies() -> Vec<Operation> {
    let content = |one: &Operation| one.described["requestBody"]["content"].to_string();
    let is_ours = |one: &Operation| !one.is_json_rpc() && !one.is_for_runners();
    operations().into_iter().filter(|one| content(one).contains("json\"") && is_ours(one)).collect()
}

/// Whether an operation may be called without a body.
fn is_optional(operation: &Operation) -> bool {
    !operation.described["requestBody"]["required"].as_bool().unwrap_or(false)
}

/// Sends a body as an admin, or as an agent what is for agents.
async fn send(
    (caller, agent): (&Caller, &EapAgent),
    operation: &Operation,
    id: &str,
    body: impl Into<Vec<u8>>,
) -> Reply {
    let (caller, id) = if operation.is_for_agents() { (&agent.caller, &*agent.id) } else { (caller, id) };
    caller.send(&operation.method, &operation.path_of(id, UNKNOWN), Some(body.into())).await
}

#[tokio::test]
async fn a_body_that_is_not_json_is_malformed_at_every_endpoint() {
    let (world, id) = with_session().await;
    let (caller, agent, owner) = (world.caller(Role::Admin), world.puller("AGENT").await, world.superuser().await);
    let before = owner.dump().await;
    let deep = "[".repeat(100_000);
    let bodies: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"{\"".to_vec(),
        b"nonsense".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"\xff\": 1}".to_vec(),
        br#"{"\ud800": 1}"#.to_vec(),
        br#"{"\udc00\ud800": 1}"#.to_vec(),
        b"{\"a\nb\": 1}".to_vec(),
        b"{,}".to_vec(),
        b" ".to_vec(),
    ];
    for operation in with_json_bodies() {
        for body in &bodies {
            let reply = send((&caller, &agent), &operation, &id, body.clone()).await;
            let problem = reply.problem(400, "BODY_MALFORMED");
            assert!(problem["detail"].as_str().unwrap().starts_with("The body is not JSON (line"), "{problem}");
        }
        let reply = send((&caller, &agent), &operation, &id, deep.clone()).await;
        assert!(matches!(reply.status.as_u16(), 400 | 422), "{} {}", operation.path, reply.json());
        if !is_optional(&operation) {
            send((&caller, &agent), &operation, &id, "").await.problem(400, "BODY_MALFORMED");
        }
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn invalid_utf8_and_lone_surrogates_are_malformed() {
    let (world, _) = with_session().await;
    let (caller, owner) = (world.caller(Role::Admin), world.superuser().await);
    let before = owner.dump().await;
    for wrong in [&b"\xff\xfe"[..], b"\xc3\x28", b"\xed\xa0\x80", br"\ud800", br"\ud83d\u0041", br"\udc00"] {
        for field in ["title", "description", "initial_prompt", "model_identifier", "session_type", "parent_id"] {
            let mut body = format!(r#"{{"{field}": "a"#).into_bytes();
            body.extend_from_slice(wrong);
            body.extend_from_slice(b"\"}");
            caller.send("POST", "/sessions", Some(body)).await.problem(400, "BODY_MALFORMED");
        }
        let mut body = br#"{"title": "a", "initial_prompt": "b", "metadata": {"k": ["#.to_vec();
        body.extend_from_slice(b"\"");
        body.extend_from_slice(wrong);
        body.extend_from_slice(b"\"]}}");
        caller.send("POST", "/sessions", Some(body)).await.problem(400, "BODY_MALFORMED");
    }
    assert_eq!(owner.dump().await, before);
}

/// The fields of a new session, each with a NUL.
fn new_session_with_nul() -> Vec<Value> {
    let fields = [
        json!({"title": "a\0b"}),
        json!({"initial_prompt": "b\0"}),
        json!({"description": "\0"}),
        json!({"model_identifier": "a/\0"}),
        json!({"session_type": "\0"}),
        json!({"priority": "\0"}),
        json!({"parent_id": "\0"}),
        json!({"tags": ["\0"]}),
        json!({"metadata": {"\0": 1}}),
        json!({"metadata": {"a": [{"b": "\0"}]}}),
        json!({"agent_config": {"a": "\0"}}),
        json!({"agent_config": {"agent": "\0"}}),
        json!({"workspace": {"repository": "https://h/\0"}}),
        json!({"workspace": {"directory": "/\0"}}),
        json!({"workspace": {"repository": "https://h/r", "ref": "\0"}}),
    ];
    fields.map(|fields| merged(json!({"title": "a", "initial_prompt": "b"}), fields)).to_vec()
}

/// The bodies of operations on a session, each with a NUL.
fn changes_with_nul() -> Vec<(&'static str, &'static str, Value)> {
    let question = json!({"question_id": "a\0", "text": "x"});
    vec![
        ("PATCH", "/{id}", json!({"title": "\0a"})),
        ("PATCH", "/{id}", json!({"description": "\0"})),
        ("PATCH", "/{id}", json!({"tags": ["a\0"]})),
        ("PATCH", "/{id}", json!({"metadata": {"a": "\0"}})),
        ("POST", "/{id}/cancel", json!({"reason": "a\0"})),
        ("POST", "/{id}/stop", json!({"reason": "a\0"})),
        ("POST", "/{id}/pause", json!({"reason": "a\0"})),
        ("POST", "/{id}/complete", json!({"result": ["\0"]})),
        ("POST", "/{id}/fail", json!({"message": "a\0"})),
        ("POST", "/{id}/fail", json!({"message": "a", "code": "\0"})),
        ("POST", "/{id}/fail", json!({"message": "a", "context": {"\0": 1}})),
        ("POST", "/{id}/messages", json!({"text": "a\0"})),
        ("POST", "/{id}/messages", json!({"answer": question})),
        ("POST", "/{id}/messages", json!({"answer": {"question_id": "a", "text": "\0"}})),
        ("POST", "/{id}/messages", json!({"answer": {"question_id": "a", "choices": ["\0"]}})),
        ("POST", "/{id}/checkpoints", json!({"note": "\0"})),
        ("POST", "/{id}/checkpoints", json!({"data": {"a": "\0"}})),
    ]
}

#[tokio::test]
async fn no_text_field_may_contain_nul() {
    let (world, id) = with_session().await;
    let (caller, owner) = (world.caller(Role::Admin), world.superuser().await);
    let before = owner.dump().await;
    let new = new_session_with_nul().into_iter().map(|body| ("POST", "", body));
    for (method, path, body) in new.chain(changes_with_nul()) {
        let path = format!("/sessions{}", path.replace("{id}", &id));
        caller.send(method, &path, Some(body.to_string().into_bytes())).await.problem(422, "VALIDATION_FAILED");
    }
    for path in ["/sessions?q=%00", "/sessions?tag=a%00", &format!("/sessions/{id}%00")] {
        caller.get(path).await.problem(422, "VALIDATION_FAILED");
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn unknown_fields_are_refused_and_named_at_every_endpoint() {
    let (world, id) = with_session().await;
    let (caller, agent, owner) = (world.caller(Role::Admin), world.puller("AGENT").await, world.superuser().await);
    let before = owner.dump().await;
    for operation in with_json_bodies().into_iter().filter(|operation| !operation.speaks_a2a()) {
        let mut body: Value = serde_json::from_slice(&operation.body().unwrap()).unwrap();
        body["colour"] = json!("red");
        let problem =
            send((&caller, &agent), &operation, &id, body.to_string()).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "colour", "{} {problem}", operation.path);
    }
    let nested = [
        (
            json!({"title": "a", "initial_prompt": "b", "workspace": {"directory": "/a", "branch": "x"}}),
            "workspace.branch",
        ),
        (json!({"title": "a", "initial_prompt": "b", "status": "running"}), "status"),
        (json!({"title": "a", "initial_prompt": "b", "tenant_id": UNKNOWN}), "tenant_id"),
    ];
    for (body, field) in nested {
        let problem = caller.post("/sessions", body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let answer = json!({"answer": {"question_id": "a", "always": true}});
    let problem = caller.post(&format!("/sessions/{id}/messages"), answer).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "answer.always");
    for query in [
        "colour=red",
        "limit=1&limit=2",
        "limit=0",
        "limit=201",
        "limit=x",
        "status=walking",
        "cursor=7",
        "created_after=noon",
    ] {
        caller.get(&format!("/sessions?{query}")).await.problem(422, "VALIDATION_FAILED");
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_repeated_field_and_json_of_another_shape_are_refused() {
    let (world, id) = with_session().await;
    let (caller, agent, owner) = (world.caller(Role::Admin), world.puller("AGENT").await, world.superuser().await);
    let before = owner.dump().await;
    let twice = br#"{"title": "a", "initial_prompt": "b", "title": "c"}"#.to_vec();
    let problem = caller.send("POST", "/sessions", Some(twice)).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "title", "{problem}");
    for operation in with_json_bodies() {
        for body in ["[]", "7", "\"text\"", "true", "[{}]"] {
            send((&caller, &agent), &operation, &id, body).await.problem(422, "VALIDATION_FAILED");
        }
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_body_must_be_declared_as_json() {
    let (world, id) = with_session().await;
    let (agent, owner) = (world.puller("AGENT").await, world.superuser().await);
    let before = owner.dump().await;
    for operation in with_json_bodies() {
        let body = operation.body().unwrap();
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", ""] {
            let caller = world.caller(Role::Admin).with("content-type", kind);
            let agent = EapAgent { caller: agent.caller.with("content-type", kind), ..agent.clone() };
            send((&caller, &agent), &operation, &id, body.clone()).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
        }
    }
    assert_eq!(owner.dump().await, before);
    let caller = world.caller(Role::Lead);
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"] {
        let caller = caller.with("content-type", kind);
        caller.patch(&format!("/sessions/{id}"), json!({"tags": []})).await.expect(200);
    }
}

#[tokio::test]
async fn a_body_of_more_than_one_mebibyte_is_too_large() {
    let (world, id) = with_session().await;
    let (caller, agent, owner) = (world.caller(Role::Admin), world.puller("AGENT").await, world.superuser().await);
    let before = owner.dump().await;
    for operation in with_json_bodies() {
        let most = if operation.path.ends_with("/result") { 10 } else { 1 };
        let body = format!(r#"{{"title": "{}"}}"#, "x".repeat(most * 1024 * 1024));
        send((&caller, &agent), &operation, &id, body).await.problem(413, "PAYLOAD_TOO_LARGE");
    }
    let edge = |bytes: usize| format!("{}{}", "{}", " ".repeat(bytes - 2));
    let path = format!("/sessions/{id}");
    caller.send("PATCH", &path, Some(edge(1024 * 1024 + 1).into_bytes())).await.problem(413, "PAYLOAD_TOO_LARGE");
    caller.send("PATCH", &path, Some(edge(1024 * 1024).into_bytes())).await.expect(200);
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn json_nested_too_deeply_is_refused_and_accepted_json_can_be_read_back() {
    let (world, id) = with_session().await;
    let (caller, owner) = (world.caller(Role::Admin), world.superuser().await);
    let deep = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({"k": inner}));
    for depth in [33, 64, 120, 125, 126] {
        let before = owner.dump().await;
        for (method, path, body) in [
            ("POST", "/sessions".to_owned(), json!({"title": "a", "initial_prompt": "b", "metadata": deep(depth)})),
            ("PATCH", format!("/sessions/{id}"), json!({"metadata": deep(depth)})),
            ("POST", format!("/sessions/{id}/checkpoints"), json!({"data": deep(depth)})),
            ("POST", format!("/sessions/{id}/complete"), json!({"result": deep(depth)})),
            ("POST", format!("/sessions/{id}/fail"), json!({"message": "a", "context": deep(depth)})),
        ] {
            caller.send(method, &path, Some(body.to_string().into_bytes())).await.problem(422, "VALIDATION_FAILED");
        }
        assert_eq!(owner.dump().await, before);
    }
    caller.patch(&format!("/sessions/{id}"), json!({"metadata": deep(32)})).await.expect(200);
    caller.post(&format!("/sessions/{id}/checkpoints"), json!({"data": deep(32)})).await.expect(201);
    caller.post(&format!("/sessions/{id}/fail"), json!({"message": "a", "context": deep(32)})).await.expect(200);
    assert_eq!(caller.session(&id).await["metadata"], deep(32));
    assert_eq!(caller.events(&id).await.len(), 6);
}

#[tokio::test]
async fn an_id_that_is_not_a_uuid_is_refused_and_named() {
    let (world, id) = with_session().await;
    let (caller, owner) = (world.caller(Role::Admin), world.superuser().await);
    let before = owner.dump().await;
    for operation in guarded().into_iter().filter(Operation::names_a_session) {
        for wrong in ["7", "me", "%00", "%ff", "..%2f..", "' or 1=1 --", &format!("{id}0"), &id[1..], "null"] {
            let path = operation.path_of(&wrong.replace(' ', "%20"), UNKNOWN);
            let problem =
                caller.send(&operation.method, &path, operation.body()).await.problem(422, "VALIDATION_FAILED");
            // An id that cannot be decoded is named by the last part of the path.
            assert!(wrong == "%ff" || problem["errors"][0]["field"] == "id", "{} {wrong} {problem}", operation.path);
        }
    }
    for (method, path, field) in [
        ("POST", "checkpoints/first/restore", "sequence"),
        ("POST", "checkpoints/0/restore", "sequence"),
        ("POST", "checkpoints/99999999999/restore", "sequence"),
        ("GET", "artifacts/7", "artifact_id"),
        ("GET", "events?after=-1", "after"),
        ("GET", "events?after=x", "after"),
        ("GET", "events?after=9223372036854775808", "after"),
        ("GET", "events?limit=0", "limit"),
        ("GET", "events?limit=201", "limit"),
        ("GET", "events?page=2", "page"),
    ] {
        let reply = caller.send(method, &format!("/sessions/{id}/{path}"), None).await;
        assert_eq!(reply.problem(422, "VALIDATION_FAILED")["errors"][0]["field"], field, "{path}");
    }
    caller.act(&format!("/sessions/{id}/checkpoints/7/restore")).await.problem(404, "CHECKPOINT_NOT_FOUND");
    caller.post(&format!("/sessions/{id}/fork"), json!({"checkpoint": 7})).await.problem(404, "CHECKPOINT_NOT_FOUND");
    caller.get(&format!("/sessions/{id}/artifacts/{UNKNOWN}")).await.problem(404, "ARTIFACT_NOT_FOUND");
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn every_operation_answers_foreign_and_unknown_ids_with_the_same_problem() {
    let world = TestApp::full().await;
    let (mine, theirs) = (world.caller(Role::Member), world.another_tenant().await);
    let lead = world.caller_of(&theirs, Role::Lead);
    let id = mine.new_session(json!({})).await;
    let owner = world.superuser().await;
    owner.place(&id, "pending").await;
    let artifact = uuid::Uuid::from_u128(8).to_string();
    owner
        .run(&format!(
            "insert into session_artifacts select tenant_id, id, '{artifact}', 'a.txt', 'text/plain', 1, repeat('0', 64), now() from sessions"
        ))
        .await;
    let before = owner.dump().await;
    let mut checked = 0;
    for operation in guarded().into_iter().filter(Operation::names_a_session) {
        let mut reported = Vec::new();
        for id in [id.as_str(), UNKNOWN] {
            let lead = lead.with("x-request-id", "same");
            let reply = lead.send(&operation.method, &operation.path_of(id, &artifact), operation.body()).await;
            let headers: Vec<_> = reply.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
            let problem = reply.problem(404, "SESSION_NOT_FOUND");
            reported.push((headers, problem.to_string().replace(id, "ID")));
        }
        assert_eq!(reported[0], reported[1], "{} {}", operation.method, operation.path);
        checked += 1;
    }
    assert!(checked >= 20, "only {checked} operations");
    let streams = lead.with("accept", "text/event-stream");
    streams.get(&format!("/sessions/{id}/events")).await.problem(404, "SESSION_NOT_FOUND");
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn an_unknown_route_and_an_unsupported_method_are_answered_with_a_problem() {
    let world = TestApp::full().await;
    let nobody = world.nobody();
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/session",
        "/api/v1/sessions/",
        "/api/v2/sessions",
        "/api/v1/sessions/x/y/z",
        "/docs/nothing.js",
        "/%ff",
    ] {
        nobody.get(path).await.problem(404, "ROUTE_NOT_FOUND");
    }
    let all = operations();
    for operation in &all {
        let path = operation.path_of(UNKNOWN, UNKNOWN);
        let taken: Vec<_> =
            all.iter().filter(|one| one.route() == operation.route()).map(|one| one.method.as_str()).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().filter(|method| !taken.contains(method)) {
            let reply = nobody.send(method, &path, None).await;
            let allow = reply.headers.get("allow").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            reply.problem(405, "METHOD_NOT_ALLOWED");
            for method in &taken {
                assert!(allow.split(',').any(|one| one.trim() == *method), "{path} allows {allow}");
            }
        }
    }
    nobody.send("POST", "/openapi.json", None).await.problem(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_request_id_is_accepted_or_generated_and_returned_in_every_response() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member).with("x-request-id", "build-42");
    let reply = caller.get("/sessions").await;
    assert_eq!(reply.headers["x-request-id"], "build-42");
    assert_eq!(
        caller.get(&format!("/sessions/{UNKNOWN}")).await.problem(404, "SESSION_NOT_FOUND")["request_id"],
        "build-42"
    );
    for unfit in ["", "a b", &"x".repeat(129)] {
        let reply = world.caller(Role::Member).with("x-request-id", unfit).get("/api/v1/none").await;
        let made = reply.headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(uuid::Uuid::parse_str(&made).is_ok(), "{made}");
        assert_eq!(reply.problem(404, "ROUTE_NOT_FOUND")["request_id"], made);
    }
}
