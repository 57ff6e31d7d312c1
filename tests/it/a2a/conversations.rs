//! Tasks that continue others, and questions with their answers, as A2A clients see them.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::served::message;

#[tokio::test]
async fn a_message_in_a_context_continues_from_its_last_finished_task() {
    let world = TestApp::new().await;
    let member = world.caller(Role::Member);
    let path = "/api/v1/a2a/{tenant}/message:send";
    let writes = |file: &str| {
        json!({"ioc": {"agent_config": {"agent": "scripted",
        "script": [{"do": "write", "path": file, "content": "one"}]}}})
    };
    let send = async |change: Value, file: &str| {
        let mut body = message(file, &format!("Write {file}."));
        body["configuration"] = json!({});
        body["message"]["metadata"] = writes(file);
        body["message"].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        member.post(path, body).await.expect(200)["task"].clone()
    };
    let first = send(json!({"contextId": "c"}), "a.txt").await;
    let second = send(json!({"contextId": "c"}), "b.txt").await;
    let session = member.session(second["id"].as_str().unwrap()).await;
    assert_eq!(session["forked_from"]["session_id"], first["id"], "{session:#}");
    let names = |task: &Value| {
        let files = task["artifacts"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
        files.collect::<std::collections::BTreeSet<_>>()
    };
    assert!(names(&second).is_superset(&["a.txt".to_owned(), "b.txt".to_owned()].into()), "{second:#}");
    let other = send(json!({"contextId": "d"}), "c.txt").await;
    assert!(member.session(other["id"].as_str().unwrap()).await["forked_from"].is_null());
    let third = send(json!({"referenceTaskIds": [first["id"]]}), "d.txt").await;
    assert_eq!(third["contextId"], "c", "it joins the context of the task that it refers to");
    assert!(names(&third).contains("a.txt") && !names(&third).contains("b.txt"), "{third:#}");
}

#[tokio::test]
async fn a_question_arrives_with_its_details_and_is_answered_by_data() {
    let world = TestApp::new().await;
    let member = world.caller(Role::Member);
    let asks = json!([{"do": "ask", "question_id": "q1", "kind": "approval", "text": "May I?", "details": {"command": "rm -rf /"}},
        {"do": "say", "text": "Done."}]);
    let id = member.run_script(asks).await;
    member.reaches(&id, &["paused"]).await;
    let task = member.get(&format!("/api/v1/a2a/{{tenant}}/tasks/{id}")).await.expect(200);
    let parts = &task["status"]["message"]["parts"];
    assert!(parts[0]["text"].as_str().unwrap().contains("rm -rf /"), "{task:#}");
    assert_eq!(
        (&parts[1]["data"]["kind"], &parts[1]["data"]["details"]["command"]),
        (&json!("approval"), &json!("rm -rf /"))
    );
    let answer = |data: Value| {
        json!({"message": {"messageId": data.to_string(), "taskId": id, "role": "ROLE_USER", "parts": [{"data": data}]},
            "configuration": {"returnImmediately": true}})
    };
    let path = "/api/v1/a2a/{tenant}/message:send";
    for wrong in [json!({"decision": "maybe"}), json!({"decision": "approve", "question_id": "q0"}), json!({})] {
        member.post(path, answer(wrong)).await.problem(422, "VALIDATION_FAILED");
    }
    member.post(path, answer(json!({"decision": "approve", "question_id": "q1"}))).await.expect(200);
    member.reaches(&id, &["completed"]).await;
}
