//! The runtime of external agents with an agent behind it, for the contract that every runtime keeps.

use std::{sync::Mutex, time::Duration};

use harness::{
    PATIENCE, TestApp,
    eap_agent::{EapAgent, result, runtime},
};
use serde_json::{Value, json};
use shared::{
    agents::{
        contract::{AgentRuntime, Assignment, QuestionKind},
        registry::{AgentEndpoint, Kind},
    },
    identity::auth::Role,
    kernel::id::SessionId,
};
use tokio::{task::JoinSet, time::Instant};

use crate::ports::runtime::{Member, Work, blank};

const PATCH: &str = "diff --git a/made.txt b/made.txt\nnew file mode 100644\nindex 0000000..5626abf\n--- /dev/null\n+++ b/made.txt\n@@ -0,0 +1 @@\n+one\n";

pub(crate) async fn member() -> Member {
    let world = TestApp::full().await;
    let agent = world.puller("CONTRACT").await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let mut sessions = Vec::new();
    for _ in 0..4 {
        let id = caller.new_session(json!({})).await;
        // A task can be claimed while its session is offered or at work.
        owner.place(&id, "running").await;
        sessions.push(id.parse::<SessionId>().unwrap());
    }
    let app = &world.app;
    let runtime: Box<dyn AgentRuntime> =
        Box::new(runtime((&app.db, app.task_notifier.clone(), &app.files), &app.clock, &app.settings));
    let contact = AgentEndpoint {
        id: agent.id.parse().unwrap(),
        tenant_id: Some(world.tenant.id),
        name: agent.name.clone(),
        kind: Kind::Eap,
        endpoint_url: None,
        endpoint_secret: None,
    };
    let (tenant_id, sessions) = (world.tenant.id, Mutex::new(sessions));
    let assign = move |work| {
        let session_id = sessions.lock().unwrap().pop().expect("a session for each run");
        let prompt = match work {
            Work::Write => "write",
            Work::Ask => "ask",
            Work::Sleep => "sleep",
        };
        Assignment { tenant_id, session_id, agent: contact.clone(), prompt: prompt.to_owned(), ..blank() }
    };
    let mut works = JoinSet::new();
    works.spawn(async move { serve(&agent).await });
    Member { runtime, assign: Box::new(assign), asks: QuestionKind::Approval, keep: Box::new((world, works)) }
}

/// Does what it is given, for ever.
async fn serve(agent: &EapAgent) {
    loop {
        let claimed = agent.claim(1).await.json();
        for task in claimed["tasks"].as_array().unwrap_or(&Vec::new()) {
            work(agent, task).await;
        }
    }
}

async fn work(agent: &EapAgent, task: &Value) {
    let prompt = task["context"]["prompt"].as_str().unwrap();
    if prompt == "sleep" {
        return;
    }
    let mut seq = 1;
    if prompt == "ask" {
        let question = json!({"question_id": "q1", "kind": "approval", "text": "May I?"});
        agent.progress(task, json!({"seq": seq, "question": question})).await.expect(200);
        let late = Instant::now() + PATIENCE;
        loop {
            seq += 1;
            let heard = agent.progress(task, json!({"seq": seq})).await.expect(200);
            if heard.get("messages").is_some() {
                break;
            }
            assert!(Instant::now() < late, "nobody answers");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    agent.report(task, seq + 1, "Done.").await.expect(200);
    let mut done = result(task, "Done.");
    if prompt == "write" {
        done["artifacts"] = json!([{"path": "changes.patch", "content": PATCH, "mime_type": "text/x-diff"}]);
    }
    agent.result(task, done).await.expect(202);
}
