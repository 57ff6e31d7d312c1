//! `POST .../result`: one result of a task, however often it comes, with what was made.

use harness::{
    Caller, TestApp,
    eap_agent::{EapAgent, result},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::identity::auth::Role;

async fn at_work(world: &TestApp) -> (Caller, EapAgent, String, Value) {
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    (caller, agent, id, task)
}

#[tokio::test]
async fn a_repeated_result_is_accepted_and_a_different_one_is_refused() {
    let world = TestApp::new().await;
    let (caller, agent, id, task) = at_work(&world).await;
    assert_eq!(agent.result(&task, result(&task, "Done.")).await.status, 202);
    assert_eq!(agent.result(&task, result(&task, "Done.")).await.status, 200);
    agent.result(&task, result(&task, "Otherwise.")).await.problem(409, "RESULT_DIFFERS");
    caller.reaches(&id, &["completed"]).await;
    assert_eq!(agent.result(&task, result(&task, "Done.")).await.status, 200);
    agent.result(&task, result(&task, "Otherwise.")).await.problem(409, "RESULT_DIFFERS");
    agent.report(&task, 5, "One more thing.").await.problem(409, "LEASE_LOST");
    assert_eq!(caller.session(&id).await["outcome"]["result"], json!({"text": "Done."}));
    let audited = "select count(*) from audit_entries where action = 'session.result'";
    assert_eq!(world.superuser().await.number(audited).await, 1);
}

#[tokio::test]
async fn only_one_of_two_concurrent_results_is_accepted() {
    let world = TestApp::new().await;
    let (caller, agent, id, task) = at_work(&world).await;
    let (one, other) =
        tokio::join!(agent.result(&task, result(&task, "One.")), agent.result(&task, result(&task, "Other.")));
    let mut answers = [one.status.as_u16(), other.status.as_u16()];
    answers.sort_unstable();
    assert_eq!(answers, [202, 409]);
    caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn output_is_stored_with_hash_and_size_and_the_patch_becomes_the_sessions_diff() {
    let world = TestApp::new().await;
    let (caller, agent, id, task) = at_work(&world).await;
    let patch = "diff --git a/made.txt b/made.txt\nnew file mode 100644\nindex 0000000..5626abf\n--- /dev/null\n+++ b/made.txt\n@@ -0,0 +1 @@\n+one\n";
    let mut body = result(&task, "Done.");
    body["artifacts"] = json!([
        {"path": "changes.patch", "content": patch, "mime_type": "text/x-diff"},
        {"path": "reports/report.md", "content": "# Report\n", "mime_type": "text/markdown"},
        {"path": "raw.bin", "content": "AAEC", "encoding": "base64", "mime_type": "application/octet-stream"},
    ]);
    agent.result(&task, body).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    let made = caller.get(&format!("/sessions/{id}/artifacts")).await.expect(200);
    let mut reported: Vec<_> = made["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["path"].as_str().unwrap(), one["size"].as_i64().unwrap()))
        .collect();
    reported.sort_unstable();
    assert_eq!(
        reported,
        [("changes.patch", i64::try_from(patch.len()).unwrap()), ("raw.bin", 3), ("reports/report.md", 9)]
    );
    let report = made["items"].as_array().unwrap().iter().find(|one| one["path"] == "reports/report.md").unwrap();
    let place = format!("/sessions/{id}/artifacts/{}", report["id"].as_str().unwrap());
    assert_eq!(caller.get(&place).await.bytes, "# Report\n");
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!((&diff["items"][0]["path"], &diff["items"][0]["status"]), (&json!("made.txt"), &json!("added")));
}

#[tokio::test]
async fn a_result_that_leaves_its_root_or_is_too_large_or_names_another_task_is_refused() {
    let world = TestApp::new().await;
    let (caller, agent, id, task) = at_work(&world).await;
    let before = world.superuser().await.texts("select status from agent_tasks").await;
    for path in ["../outside", "/etc/passwd", "a/../../b", "C:\\x", "", "a\u{202e}b", ".git/hooks/pre-commit"] {
        let mut body = result(&task, "Done.");
        body["artifacts"] = json!([{"path": "fine", "content": ""}, {"path": path, "content": "x"}]);
        let problem = agent.result(&task, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "artifacts[1].path");
    }
    let mut body = result(&task, "Done.");
    body["task_id"] = json!("01900000-0000-7000-8000-000000000000");
    let problem = agent.result(&task, body).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "task_id");
    let mut body = result(&task, "Done.");
    body["artifacts"] = json!([{"path": "large", "content": "x".repeat(10 * 1024 * 1024)}]);
    agent.result(&task, body).await.problem(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(world.superuser().await.texts("select status from agent_tasks").await, before);
    let mut body = result(&task, "Done.");
    body["artifacts"] = json!([{"path": "large", "content": "x".repeat(9 * 1024 * 1024)}]);
    agent.result(&task, body).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn large_artifacts_are_uploaded_one_by_one_and_named_in_the_result() {
    let world = TestApp::new().await;
    let (caller, agent, id, task) = at_work(&world).await;
    let large = vec![b'x'; 9 * 1024 * 1024];
    let patch = b"diff --git a/made.txt b/made.txt\nnew file mode 100644\nindex 0000000..5626abf\n--- /dev/null\n+++ b/made.txt\n@@ -0,0 +1 @@\n+one\n";
    let mut artifacts = vec![json!({"path": "changes.patch", "sha256": sha256(patch), "mime_type": "text/x-diff"})];
    agent.upload(&task, patch).await.expect(201);
    for n in 0..3 {
        let content = [&large[..], &[n]].concat();
        agent.upload(&task, &content).await.expect(201);
        agent.upload(&task, &content).await.expect(200);
        artifacts.push(json!({"path": format!("out/{n}.bin"), "sha256": sha256(&content)}));
    }
    let mut body = result(&task, "Done.");
    body["artifacts"] = json!(artifacts);
    assert_eq!(agent.result(&task, body.clone()).await.status, 202);
    assert_eq!(agent.result(&task, body).await.status, 200, "the same again");
    caller.reaches(&id, &["completed"]).await;
    let made = caller.get(&format!("/sessions/{id}/artifacts")).await.expect(200);
    let one = made["items"].as_array().unwrap().iter().find(|one| one["path"] == "out/2.bin").unwrap();
    assert_eq!(one["size"], large.len() + 1);
    let content = caller.get(&format!("/sessions/{id}/artifacts/{}", one["id"].as_str().unwrap())).await.bytes;
    assert!(content.len() == large.len() + 1 && content.ends_with(&[2]));
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!(diff["items"][0]["path"], "made.txt");
}

#[tokio::test]
async fn an_upload_that_is_wrong_too_large_or_of_another_agent_is_refused() {
    let world = TestApp::new().await;
    let (caller, agent, id, task) = at_work(&world).await;
    let other = world.puller("OTHER").await;
    other.upload(&task, b"mine").await.problem(404, "TASK_NOT_FOUND");
    let problem = agent.upload_as(&task, &sha256(b"that"), b"this").await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "sha256");
    agent.upload(&task, &vec![0; 10 * 1024 * 1024 + 1]).await.problem(413, "PAYLOAD_TOO_LARGE");
    for (field, artifacts) in [
        ("artifacts[0].sha256", json!([{"path": "a", "sha256": sha256(b"nowhere")}])),
        ("artifacts[0].sha256", json!([{"path": "changes.patch", "sha256": sha256(b"no patch")}])),
    ] {
        agent.upload(&task, b"no patch").await;
        let mut body = result(&task, "Done.");
        body["artifacts"] = artifacts;
        let problem = agent.result(&task, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    assert_eq!(agent.result(&task, result(&task, "Done.")).await.status, 202);
    caller.reaches(&id, &["completed"]).await;
    agent.upload(&task, b"late").await.problem(409, "LEASE_LOST");
}

#[tokio::test]
async fn all_artifacts_of_a_task_have_a_bound_in_bytes() {
    let world = TestApp::new().await;
    let (caller, agent, id, task) = at_work(&world).await;
    let content = |n: u8| [&vec![b'x'; 10 * 1024 * 1024 - 1][..], &[n]].concat();
    for n in 0..6 {
        agent.upload(&task, &content(n)).await.expect(201);
    }
    agent.upload(&task, &content(6)).await.problem(413, "PAYLOAD_TOO_LARGE");
    let files = world.app.files.find_size(world.tenant.id, id.parse().unwrap(), &sha256(&content(6))).await.unwrap();
    assert_eq!(files, None, "what is refused is not stored");
    // One upload under many names is read as often.
    let named: Vec<_> = (0..7).map(|n| json!({"path": n.to_string(), "sha256": sha256(&content(0))})).collect();
    let mut body = result(&task, "Done.");
    body["artifacts"] = json!(named);
    let problem = agent.result(&task, body.clone()).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "artifacts");
    body["artifacts"] = json!(named[..6]);
    assert_eq!(agent.result(&task, body).await.status, 202);
    caller.reaches(&id, &["completed"]).await;
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

#[tokio::test]
async fn a_task_that_failed_fails_its_session_with_the_agents_own_words() {
    let world = TestApp::new().await;
    let (caller, agent, id, task) = at_work(&world).await;
    let mut body = result(&task, "");
    body["status"] = json!("failed");
    body["error_message"] = json!("The tests do not pass.");
    agent.result(&task, body).await.expect(202);
    let session = caller.reaches(&id, &["failed"]).await;
    let error = &session["outcome"]["error"];
    assert_eq!((&error["code"], &error["message"]), (&json!("AGENT_FAILED"), &json!("The tests do not pass.")));
}

#[tokio::test]
async fn an_unleased_task_takes_no_result_and_a_deleted_session_takes_its_task_along() {
    let world = TestApp::new().await;
    let (caller, agent, id, task) = at_work(&world).await;
    caller.reaches(&id, &["running"]).await;
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    caller.reaches(&id, &["stopped"]).await;
    caller.delete(&format!("/sessions/{id}")).await.expect(204);
    agent.result(&task, result(&task, "Done.")).await.problem(404, "TASK_NOT_FOUND");
    agent.session(&caller).await;
    harness::until(async || world.superuser().await.number("select count(*) from agent_tasks").await == 1).await;
    let waiting = world.superuser().await.texts("select id::text from agent_tasks").await.remove(0);
    let task = json!({"task_id": waiting});
    agent.result(&task, result(&task, "Done.")).await.problem(409, "LEASE_LOST");
}

#[tokio::test]
async fn a_completed_result_without_work_and_words_is_no_success() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let file = json!([{"path": "notes.md", "content": "x"}]);
    let patch = "diff --git a/a b/a\nnew file mode 100644\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n";
    for (fields, report, status) in [
        // In turn, so that the breaker of the agent stays closed.
        (json!({"output_data": {"text": "Done."}}), Value::Null, "completed"),
        (json!({}), Value::Null, "failed"),
        (json!({}), json!("Nothing is to be done."), "completed"),
        (json!({"output_data": {}}), Value::Null, "failed"),
        (json!({"artifacts": file}), Value::Null, "completed"),
        (json!({"output_data": {"text": " \n"}}), json!("  "), "failed"),
        (json!({"artifacts": [{"path": "changes.patch", "content": patch}]}), Value::Null, "completed"),
        (json!({"artifacts": [{"path": "changes.patch", "content": "\n"}]}), Value::Null, "failed"),
    ] {
        let id = agent.session(&caller).await;
        let task = agent.task().await;
        agent.progress(&task, json!({"seq": 1, "message": report})).await.expect(200);
        let mut body = json!({"task_id": task["task_id"], "status": "completed"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        agent.result(&task, body).await.expect(202);
        let session = caller.reaches(&id, &["completed", "failed"]).await;
        assert_eq!(session["status"], status, "{fields} {report}: {session:#}");
        let code = if status == "failed" { json!("NO_OUTPUT") } else { Value::Null };
        assert_eq!(session["outcome"]["error"]["code"], code, "{fields} {report}");
    }
}
