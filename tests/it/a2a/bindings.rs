//! The two bindings of our A2A agent: JSON-RPC beside HTTP+JSON, both spellings of fields, and what neither offers.

use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::id::SessionId};

use super::served::message;

const RPC: &str = "/api/v1/a2a/{tenant}";

#[expect(clippy::needless_pass_by_value, reason = "its callers write literals")]
fn rpc(id: Value, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[tokio::test]
async fn json_rpc_answers_each_call_under_its_id_with_a_result_or_an_error() {
    let world = TestApp::idle(Options::default()).await;
    let member = world.caller(Role::Member);
    let made = member.post(RPC, rpc(json!("a"), "SendMessage", message("m", "Do it."))).await.expect(200);
    assert_eq!((&made["jsonrpc"], &made["id"], &made["error"]), (&json!("2.0"), &json!("a"), &Value::Null));
    let task = made["result"]["task"]["id"].clone();
    let read = member.post(RPC, rpc(json!(7), "GetTask", json!({"id": task, "history_length": 0}))).await.expect(200);
    assert_eq!((&read["id"], &read["result"]["id"], &read["result"]["history"]), (&json!(7), &task, &Value::Null));
    let list = member.post(RPC, rpc(json!(8), "ListTasks", json!({"pageSize": 1}))).await.expect(200);
    assert_eq!(list["result"]["tasks"][0]["id"], task);
    let unknown = json!({"id": SessionId::new()});
    for (body, id, code) in [
        (json!([rpc(json!(1), "GetTask", json!({}))]), Value::Null, -32600),
        (json!({"jsonrpc": "1.0", "id": 1, "method": "GetTask"}), json!(1), -32600),
        (json!({"jsonrpc": "2.0", "method": "GetTask"}), Value::Null, -32600),
        (json!({"jsonrpc": "2.0", "id": 1.5, "method": "GetTask"}), Value::Null, -32600),
        (json!({"jsonrpc": "2.0", "id": 1, "method": 7}), json!(1), -32600),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": []}), json!(1), -32602),
        (rpc(json!(1), "message/send", json!({})), json!(1), -32601),
        (rpc(json!(1), "SendMessage", json!({})), json!(1), -32602),
        (rpc(json!(1), "GetTask", json!({"id": task, "historyLength": -1})), json!(1), -32602),
        (rpc(json!(1), "GetTask", unknown.clone()), json!(1), -32001),
        (rpc(json!(1), "SubscribeToTask", unknown.clone()), json!(1), -32001),
        (rpc(json!(1), "CancelTask", unknown), json!(1), -32001),
        (rpc(json!(1), "CreateTaskPushNotificationConfig", json!({})), json!(1), -32003),
        (rpc(json!(1), "GetExtendedAgentCard", json!({})), json!(1), -32004),
    ] {
        let answer = member.post(RPC, body.clone()).await.expect(200);
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{body}");
        let info = &answer["error"]["data"][0];
        assert!(info["reason"].is_string() && info["metadata"]["remedy"].is_string(), "{answer}");
    }
    let malformed = member.send("POST", RPC, Some(b"{".to_vec())).await.expect(200);
    assert_eq!((&malformed["id"], &malformed["error"]["code"]), (&Value::Null, &json!(-32700)));
    let old =
        member.with("a2a-version", "0.3").post(RPC, rpc(json!(1), "GetTask", json!({"id": task}))).await.expect(200);
    assert_eq!(old["error"]["code"], -32009);
}

#[tokio::test]
async fn json_rpc_needs_the_same_rights_as_the_other_binding() {
    let world = TestApp::idle(Options::default()).await;
    let theirs = world.another_tenant().await;
    let send = rpc(json!(1), "SendMessage", message("m", "Do it."));
    assert_eq!(world.nobody().post(&format!("/api/v1/a2a/{}", world.tenant.slug), send.clone()).await.status, 401);
    let viewer = world.caller(Role::Viewer);
    let refused = viewer.post(RPC, send.clone()).await.expect(403);
    assert_eq!((&refused["id"], &refused["error"]["data"][0]["reason"]), (&json!(1), &json!("FORBIDDEN")));
    viewer.post(RPC, rpc(json!(1), "ListTasks", json!({}))).await.expect(200);
    assert_eq!(viewer.post(&format!("/api/v1/a2a/{}", theirs.slug), send.clone()).await.status, 404);
    let lead = world.caller(Role::Lead);
    let made = lead.post("/api/v1/api-keys", json!({"name": "reads", "scopes": ["sessions:read"]})).await.expect(201);
    let reads = lead.with("authorization", &format!("Bearer {}", made["secret"].as_str().unwrap()));
    reads.post(RPC, rpc(json!(1), "ListTasks", json!({}))).await.expect(200);
    reads.post(RPC, send).await.expect(403);
    assert_eq!(lead.get("/sessions").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn json_rpc_streams_answers_under_the_id_of_the_call() {
    let world = TestApp::new().await;
    let member = world.caller(Role::Member);
    let mut said = message("m", "Do it.");
    said["message"]["metadata"] =
        json!({"ioc": {"agent_config": {"agent": "scripted", "script": [{"do": "say", "text": "Done."}]}}});
    let call = rpc(json!("s"), "SendStreamingMessage", said);
    let path = format!("/api/v1/a2a/{}", world.tenant.slug);
    let mut stream = member.open_stream("POST", &path, Some(call)).await;
    let mut answers = Vec::new();
    while let Some(frame) = stream.next_raw().await {
        answers.extend(frame.data);
    }
    assert!(answers.iter().all(|one| one["id"] == "s" && one["jsonrpc"] == "2.0"), "{answers:?}");
    assert!(answers[0]["result"]["task"]["id"].is_string());
    let last = &answers.last().unwrap()["result"]["statusUpdate"]["status"]["state"];
    assert_eq!(last, "TASK_STATE_COMPLETED");
}

#[tokio::test]
async fn the_fields_of_a_message_are_read_in_both_spellings() {
    let world = TestApp::idle(Options::default()).await;
    let member = world.caller(Role::Member);
    let said = json!({"message": {"message_id": "m", "context_id": "c", "role": "ROLE_USER",
        "parts": [{"text": "Do it.", "media_type": "text/plain"}]}, "configuration": {"return_immediately": true}});
    let task = member.post("/api/v1/a2a/{tenant}/message:send", said.clone()).await.expect(200)["task"].clone();
    assert_eq!(task["contextId"], "c");
    let again = member.post(RPC, rpc(json!(1), "SendMessage", said)).await.expect(200);
    assert_eq!(again["result"]["task"]["id"], task["id"], "both bindings know the same messages");
    let list = member.get("/api/v1/a2a/{tenant}/tasks?context_id=c&page_size=1").await.expect(200);
    assert_eq!((&list["totalSize"], &list["pageSize"]), (&json!(1), &json!(1)));
    let twice =
        json!({"message": {"message_id": "m", "messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]}});
    member.post("/api/v1/a2a/{tenant}/message:send", twice).await.problem(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn operations_that_the_card_does_not_offer_are_refused_as_the_protocol_says() {
    let world = TestApp::idle(Options::default()).await;
    let member = world.caller(Role::Member);
    let configs = format!("/api/v1/a2a/{{tenant}}/tasks/{}/pushNotificationConfigs", SessionId::new());
    for (method, path) in [
        ("POST", configs.clone()),
        ("GET", configs.clone()),
        ("GET", format!("{configs}/1")),
        ("DELETE", format!("{configs}/1")),
    ] {
        member.send(method, &path, None).await.problem(400, "PUSH_NOTIFICATION_NOT_SUPPORTED");
    }
    let mut said = message("m", "Do it.");
    said["configuration"]["taskPushNotificationConfig"] = json!({"url": "https://example.com"});
    let refused = member.post("/api/v1/a2a/{tenant}/message:send", said).await;
    refused.problem(400, "PUSH_NOTIFICATION_NOT_SUPPORTED");
    member.get("/api/v1/a2a/{tenant}/extendedAgentCard").await.problem(400, "UNSUPPORTED_OPERATION");
    assert_eq!(member.get("/sessions").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn the_card_is_cached_for_a_minute_and_known_by_its_tag() {
    let world = TestApp::idle(Options::default()).await;
    let path = format!("/api/v1/a2a/{}/.well-known/agent-card.json", world.tenant.slug);
    let nobody = world.nobody();
    let reply = nobody.get(&path).await;
    assert_eq!(reply.headers["cache-control"], "public, max-age=60");
    let tag = reply.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(nobody.get(&path).await.headers["etag"], tag.as_str(), "equal cards have the same tag");
    assert_eq!(nobody.with("if-none-match", &tag).get(&path).await.status, 304);
    nobody.with("if-none-match", "\"other\"").get(&path).await.expect(200);
}
