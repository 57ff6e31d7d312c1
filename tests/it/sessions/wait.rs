//! `GET /sessions/{id}?wait=`: a call that waits for the end of a session, or for its question.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn a_call_that_waits_is_answered_with_the_end_of_the_session() {
    let world = TestApp::new().await;
    let member = world.caller(Role::Member);
    let id = member.start_session(json!({"agent_config": {"agent": "manual"}})).await;
    member.reaches(&id, &["running"]).await;
    let path = format!("/sessions/{id}?wait=20");
    let (waited, ()) = tokio::join!(member.get(&path), async {
        let still = member.get(&format!("/sessions/{id}?wait=0&until=ended")).await.expect(200);
        assert_eq!(still["status"], "running");
        member.post(&format!("/sessions/{id}/complete"), json!({"result": 1})).await.expect(200);
    });
    let ended = waited.expect(200);
    assert_eq!((&ended["status"], &ended["outcome"]["result"]), (&json!("completed"), &json!(1)));
    assert_eq!(member.get(&path).await.expect(200)["status"], "completed", "what has ended is not waited for");
}

#[tokio::test]
async fn a_call_may_wait_for_a_question() {
    let world = TestApp::new().await;
    let member = world.caller(Role::Member);
    let asks = json!([{"do": "ask", "question_id": "q1", "kind": "approval", "text": "May I?"}, {"do": "say", "text": "Done."}]);
    let id = member.run_script(asks).await;
    let asked = member.get(&format!("/sessions/{id}?wait=20&until=asks")).await.expect(200);
    assert_eq!(asked["pause"]["question"]["text"], "May I?", "{asked:#}");
    let answer = json!({"answer": {"question_id": "q1", "decision": "approve"}});
    member.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
    let mut ended = member.get(&format!("/sessions/{id}?wait=20")).await.expect(200);
    // The answer may not have reached the agent yet, so that it still asks: a further call waits on.
    for _ in 0..3 {
        if ended["status"] != "completed" {
            ended = member.get(&format!("/sessions/{id}?wait=20")).await.expect(200);
        }
    }
    assert_eq!(ended["status"], "completed");
}

#[tokio::test]
async fn a_wait_is_bounded_and_its_parameters_are_checked() {
    let world = TestApp::new().await;
    let member = world.caller(Role::Member);
    let id = member.new_session(json!({})).await;
    let waited = member.get(&format!("/sessions/{id}?wait=1")).await.expect(200);
    assert_eq!(waited["status"], "pending", "it is answered as it is when the time is over");
    for (query, field) in [("wait=21", "wait"), ("wait=-1", "wait"), ("wait=x", "wait"), ("wait=1&until=x", "until")] {
        let problem = member.get(&format!("/sessions/{id}?{query}")).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
    }
}
