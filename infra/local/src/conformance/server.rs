//! Checks that a server conforms to the protocol, by valid and invalid calls of an agent.

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::kernel::id::{AgentId, SessionId};
use tokio::time::sleep;

use super::checks::Checks;

/// An agent of the server, and the person who creates its sessions.
struct Trial {
    http: Client,
    url: String,
    key: String,
    tenant: String,
    token: String,
    agent: String,
    name: String,
    /// Whether no lead has registered it.
    is_restricted: bool,
    /// The sessions that were created.
    sessions: Vec<String>,
    checks: Checks,
}

/// The status and the body of a response.
type Answer = (u16, Value);

/// Checks a server and returns the exit code.
pub(super) async fn check(url: &str, key: &str, tenant: &str) -> Result<u8> {
    let id = SessionId::new().0.simple().to_string().to_uppercase();
    let mut trial = Trial {
        http: Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?,
        url: format!("{}/api/v1", url.trim_end_matches('/')),
        key: key.to_owned(),
        tenant: tenant.to_owned(),
        token: String::new(),
        agent: String::new(),
        name: format!("CONFORMANCE-{id}"),
        is_restricted: false,
        sessions: Vec::new(),
        checks: Checks::default(),
    };
    let checked = Box::pin(trial.run()).await;
    Box::pin(trial.leaves()).await?;
    checked?;
    Ok(trial.checks.finish())
}

impl Trial {
    async fn run(&mut self) -> Result<()> {
        Box::pin(self.registers()).await?;
        Box::pin(self.guards()).await?;
        Box::pin(self.hands_out()).await?;
        Box::pin(self.asks()).await?;
        Box::pin(self.spawns()).await?;
        Box::pin(self.calls_off()).await?;
        Box::pin(self.rotates()).await
    }

    /// Removes the sessions and the agent, also after a failure.
    async fn leaves(&mut self) -> Result<()> {
        for id in std::mem::take(&mut self.sessions) {
            let request = self.http.delete(format!("{}/sessions/{id}", self.url)).bearer_auth(&self.key);
            let answer = sent(request.header("x-tenant-id", &self.tenant)).await?;
            self.expect("a session that has ended is removed", &answer, 204, None);
        }
        if self.agent.is_empty() {
            return Ok(());
        }
        let place = format!("{}/agents/external/{}", self.url, self.agent);
        let answer = sent(self.http.delete(place).header("x-agent-token", &self.token)).await?;
        self.expect("an agent deregisters itself", &answer, 204, None);
        Ok(())
    }

    /// A call of the person.
    async fn person(&self, path: &str, body: &Value) -> Result<Answer> {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.key);
        sent(request.header("x-tenant-id", &self.tenant).json(body)).await
    }

    async fn session(&self, id: &str) -> Result<Value> {
        let request = self.http.get(format!("{}/sessions/{id}", self.url)).bearer_auth(&self.key);
        Ok(sent(request.header("x-tenant-id", &self.tenant)).await?.1)
    }

    /// A call of the agent.
    async fn call(&self, path: &str, body: &Value) -> Result<Answer> {
        let place = format!("{}/agents/external/{}{path}", self.url, self.agent);
        sent(self.http.post(place).header("x-agent-token", &self.token).json(body)).await
    }

    fn expect(&mut self, name: &str, answer: &Answer, status: u16, code: Option<&str>) {
        let good = answer.0 == status && code.is_none_or(|code| answer.1["code"] == code);
        self.checks.holds(name, good, || format!("it answers {} {}", answer.0, answer.1));
    }

    async fn registers(&mut self) -> Result<()> {
        let body =
            |name: &str| json!({"protocol_version": "1.0", "name": name, "version": "1", "agent_type": "analyst"});
        let answer = self.person("/agents/external/register", &body(&self.name)).await?;
        self.expect("a registration is answered with 201", &answer, 201, None);
        let text = |field: &str| answer.1[field].as_str().unwrap_or_default().to_owned();
        (self.token, self.agent) = (text("auth_token"), text("agent_id"));
        self.is_restricted = answer.1["restricted"] == true;
        self.checks
            .holds("an agent without an endpoint pulls", answer.1["delivery"] == "pull", || answer.1.to_string());
        let again = self.person("/agents/external/register", &body(&self.name)).await?;
        self.expect("a name that is taken is refused", &again, 409, Some("ALREADY_EXISTS"));
        let wrong = self.person("/agents/external/register", &body("no")).await?;
        self.expect("a malformed name is refused by field", &wrong, 422, Some("VALIDATION_FAILED"));
        let mut newer = body("CONFORMANCE-NEWER");
        newer["protocol_version"] = json!("2.0");
        let newer = self.person("/agents/external/register", &newer).await?;
        self.expect("another version of the protocol is refused", &newer, 422, Some("VALIDATION_FAILED"));
        Ok(())
    }

    async fn guards(&mut self) -> Result<()> {
        let heartbeat = json!({"status": "healthy", "current_load": 0, "tasks_in_progress": 0, "metrics": {}});
        let answer = self.call("/heartbeat", &heartbeat).await?;
        self.expect("a heartbeat is answered with 204", &answer, 204, None);
        let answer =
            self.call("/heartbeat", &json!({"status": "healthy", "current_load": 2, "tasks_in_progress": 0})).await?;
        self.expect("a load above 1 is refused by field", &answer, 422, Some("VALIDATION_FAILED"));
        let own = std::mem::replace(&mut self.agent, AgentId::new().to_string());
        let answer = self.call("/heartbeat", &heartbeat).await?;
        self.expect("another agent's id is unknown", &answer, 404, Some("AGENT_NOT_FOUND"));
        self.agent = own;
        let own = std::mem::replace(&mut self.token, "ioca_none".to_owned());
        let answer = self.call("/heartbeat", &heartbeat).await?;
        self.expect("a malformed token is refused", &answer, 401, Some("UNAUTHENTICATED"));
        self.token = own;
        let place = format!("{}/agents/external/{}/heartbeat", self.url, self.agent);
        let answer = sent(self.http.post(place).bearer_auth(&self.key).json(&heartbeat)).await?;
        self.expect("a key of a person is refused as an agent token", &answer, 403, Some("AGENT_TOKEN_REQUIRED"));
        let answer = self.call("/tasks/claim", &json!({"wait_seconds": 0})).await?;
        self.expect("a claim without a waiting task is answered with 204", &answer, 204, None);
        Ok(())
    }

    /// Starts a session for the agent, and claims it; answers the session and the task.
    async fn work(&mut self) -> Result<(String, Value)> {
        let body = json!({"title": "Conformance of the server", "initial_prompt": "Keep the protocol.", "start": true,
            "agent_config": {"agent": self.name}});
        let (status, session) = self.person("/sessions", &body).await?;
        anyhow::ensure!(status == 201, "no session can be made: {session}");
        let id = session["id"].as_str().context("a session without an id")?.to_owned();
        self.sessions.push(id.clone());
        let answer = self.call("/tasks/claim", &json!({"wait_seconds": 20})).await?;
        self.expect("a waiting claim receives the task", &answer, 200, None);
        Ok((id, answer.1["tasks"][0].clone()))
    }

    /// Waits until a session reaches a state.
    async fn becomes(&mut self, name: &str, id: &str, status: &str) -> Result<Value> {
        let mut session = Value::Null;
        for _ in 0..200 {
            session = self.session(id).await?;
            if session["status"] == status {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        self.checks.holds(name, session["status"] == status, || format!("it is {}", session["status"]));
        Ok(session)
    }

    async fn hands_out(&mut self) -> Result<()> {
        let (session, task) = self.work().await?;
        let named = task["session_id"] == json!(session) && task["context"]["prompt"] == "Keep the protocol.";
        self.checks.holds("a task contains the prompt", named, || task.to_string());
        let again = self.call("/tasks/claim", &json!({})).await?;
        self.expect("a task is handed out once at a time", &again, 204, None);
        let place = format!("/tasks/{}", task["task_id"].as_str().unwrap_or_default());
        let lease = task["lease"]["token"].as_i64().unwrap_or_default();
        let report =
            json!({"lease_token": lease, "seq": 1, "message": "Keeping it.", "tokens_used": 5, "cost_usd": "0.001"});
        for name in ["a report renews the lease", "a repeated report is accepted again"] {
            let answer = self.call(&format!("{place}/progress"), &report).await?;
            self.expect(name, &answer, 200, None);
            self.checks
                .holds("its answer says whether to cancel", answer.1["cancel"] == false, || answer.1.to_string());
        }
        self.takes_batches(&place, lease).await?;
        let mut older = report.clone();
        older["lease_token"] = json!(lease - 1);
        let answer = self.call(&format!("{place}/progress"), &older).await?;
        self.expect("a report of an older lease is refused", &answer, 409, Some("LEASE_LOST"));
        self.takes_results(&session, &task, &place).await
    }

    /// Reports of version 1.1: a phase, and several events at once.
    async fn takes_batches(&mut self, place: &str, lease: i64) -> Result<()> {
        let events = json!([{"message": "One."}, {"log": {"level": "info", "message": "Two."}}]);
        let report = json!({"lease_token": lease, "seq": 2, "phase": "working", "events": events});
        let answer = self.call(&format!("{place}/progress"), &report).await?;
        self.expect("a report of a phase and several events is accepted", &answer, 200, None);
        let many = vec![json!({"message": "Too many."}); 201];
        let report = json!({"lease_token": lease, "seq": 3, "events": many});
        let answer = self.call(&format!("{place}/progress"), &report).await?;
        self.expect("more than 200 events are refused by field", &answer, 422, Some("VALIDATION_FAILED"));
        let report = json!({"lease_token": lease, "seq": 3, "phase": "resting"});
        let answer = self.call(&format!("{place}/progress"), &report).await?;
        self.expect("an unknown phase is refused by field", &answer, 422, Some("VALIDATION_FAILED"));
        Ok(())
    }

    /// Uploads a file twice, and what is refused. Returns the artifact of it.
    async fn takes_uploads(&mut self, task: &str) -> Result<Value> {
        let content = "uploaded ".repeat(200_000);
        let hash = hex::encode(Sha256::digest(&content));
        for (name, status) in [("an upload is answered with 201", 201), ("the same upload again with 200", 200)] {
            let answer = self.upload(task, &hash, &content).await?;
            self.expect(name, &answer, status, None);
        }
        let answer = self.upload(task, &hash, "another content").await?;
        self.expect("an upload under another hash is refused", &answer, 422, Some("VALIDATION_FAILED"));
        Ok(json!({"path": "uploaded.txt", "sha256": hash}))
    }

    async fn upload(&self, task: &str, hash: &str, content: &str) -> Result<Answer> {
        let place = format!("{}/agents/external/{}{task}/artifacts/{hash}", self.url, self.agent);
        sent(self.http.put(place).header("x-agent-token", &self.token).body(content.to_owned())).await
    }

    async fn takes_results(&mut self, session: &str, task: &Value, place: &str) -> Result<()> {
        let uploaded = self.takes_uploads(place).await?;
        let (place, mut result) = (format!("{place}/result"), result_of(task));
        let mut outside = result.clone();
        outside["artifacts"] = json!([{"path": "../outside", "content": "x"}]);
        let answer = self.call(&place, &outside).await?;
        self.expect("an artifact outside of its root is refused by field", &answer, 422, Some("VALIDATION_FAILED"));
        let mut large = result.clone();
        large["artifacts"] = json!([{"path": "large", "content": "x".repeat(10 * 1024 * 1024)}]);
        let answer = self.call(&place, &large).await?;
        self.expect("a result of more than 10 MiB is refused", &answer, 413, Some("PAYLOAD_TOO_LARGE"));
        let mut missing = result.clone();
        missing["artifacts"] = json!([{"path": "missing", "sha256": "0".repeat(64)}]);
        let answer = self.call(&place, &missing).await?;
        self.expect("an artifact that was not uploaded is refused", &answer, 422, Some("VALIDATION_FAILED"));
        result["artifacts"] = json!([uploaded]);
        let unknown = format!("/tasks/{}/result", SessionId::new());
        let mut other = result.clone();
        other["task_id"] = json!(unknown.split('/').nth(2));
        let answer = self.call(&unknown, &other).await?;
        self.expect("a task that is not there is unknown", &answer, 404, Some("TASK_NOT_FOUND"));
        for (name, status) in [("a result is answered with 202", 202), ("the same result again with 200", 200)] {
            let answer = self.call(&place, &result).await?;
            self.expect(name, &answer, status, None);
        }
        let mut differs = result;
        differs["output_data"] = json!({"text": "Otherwise."});
        let answer = self.call(&place, &differs).await?;
        self.expect("another result of the task is refused", &answer, 409, Some("RESULT_DIFFERS"));
        let ended = self.becomes("the session completes with the result", session, "completed").await?;
        let text = &ended["outcome"]["result"]["text"];
        self.checks.holds("its outcome is the output", text == "Done.", || ended["outcome"].to_string());
        Ok(())
    }

    async fn asks(&mut self) -> Result<()> {
        let (session, task) = self.work().await?;
        let place = format!("/tasks/{}", task["task_id"].as_str().unwrap_or_default());
        let question = json!({"seq": 1, "question": {"question_id": "q", "kind": "approval", "text": "May I?"}});
        self.call(&format!("{place}/progress"), &question).await?;
        self.becomes("a question pauses the session", &session, "paused").await?;
        let answer = json!({"answer": {"question_id": "q", "decision": "approve"}});
        self.person(&format!("/sessions/{session}/messages"), &answer).await?;
        let heard = self.hears(&place).await?;
        let answered = heard["messages"][0]["answer"]["decision"] == "approve";
        self.checks.holds("the answer reaches the agent", answered, || heard.to_string());
        let quiet = self.call(&format!("{place}/progress"), &json!({"seq": 3, "received": 1})).await?.1;
        self.checks
            .holds("an acknowledged message is not sent again", quiet["messages"].is_null(), || quiet.to_string());
        self.call(&format!("{place}/result"), &result_of(&task)).await?;
        self.becomes("it completes after it", &session, "completed").await?;
        Ok(())
    }

    /// The answer to a second report, once it has a message.
    async fn hears(&self, place: &str) -> Result<Value> {
        let mut heard = Value::Null;
        for _ in 0..200 {
            heard = self.call(&format!("{place}/progress"), &json!({"seq": 2})).await?.1;
            if heard["messages"].is_array() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(heard)
    }

    /// Sessions of version 1.1 that an agent creates, and waits for.
    async fn spawns(&mut self) -> Result<()> {
        let (session, task) = self.work().await?;
        let place = format!("/tasks/{}", task["task_id"].as_str().unwrap_or_default());
        let lease = task["lease"]["token"].clone();
        let body = json!({"lease_token": lease, "request_id": "1", "prompt": "Do a part."});
        let answer = self.call(&format!("{place}/sessions"), &body).await?;
        if self.is_restricted {
            self.expect("an agent without trust creates no session", &answer, 403, Some("SPAWN_FORBIDDEN"));
        } else {
            self.expect("a session is created below that of the task", &answer, 201, None);
            self.waits_for(&answer.1, (&session, &place), &body).await?;
        }
        self.call(&format!("{place}/result"), &result_of(&task)).await?;
        self.becomes("the session of the agent completes", &session, "completed").await?;
        Ok(())
    }

    async fn waits_for(&mut self, child: &Value, (session, place): (&str, &str), body: &Value) -> Result<()> {
        let id = child["id"].as_str().context("a session without an id")?.to_owned();
        self.sessions.push(id.clone());
        let again = self.call(&format!("{place}/sessions"), body).await?;
        self.expect("the same request again is answered with 200", &again, 200, None);
        self.checks.holds("it names the same session", again.1["id"] == json!(id), || again.1.to_string());
        let question = json!({"question_id": "s", "kind": "sessions", "text": "Waits.", "details": {"sessions": [id]}});
        self.call(&format!("{place}/progress"), &json!({"seq": 1, "question": question})).await?;
        self.becomes("a wait for sessions pauses the session", session, "paused").await?;
        let claimed = self.call("/tasks/claim", &json!({"wait_seconds": 20})).await?;
        self.expect("the created session is handed out", &claimed, 200, None);
        let part = &claimed.1["tasks"][0];
        self.call(&format!("/tasks/{}/result", part["task_id"].as_str().unwrap_or_default()), &result_of(part)).await?;
        let heard = self.hears(place).await?;
        let text = heard["messages"][0]["answer"]["text"].as_str().unwrap_or_default();
        self.checks.holds("the answer says what it came to", text.contains("Done."), || heard.to_string());
        let states = format!("{}/agents/external/{}{place}/sessions", self.url, self.agent);
        let states = format!("{states}?lease_token={}&ids={id}", body["lease_token"]);
        let read = sent(self.http.get(states).header("x-agent-token", &self.token)).await?;
        self.checks.holds("its state can be read", read.1["sessions"][0]["is_over"] == true, || read.1.to_string());
        Ok(())
    }

    async fn calls_off(&mut self) -> Result<()> {
        let (session, task) = self.work().await?;
        let place = format!("/tasks/{}/progress", task["task_id"].as_str().unwrap_or_default());
        self.call(&place, &json!({"seq": 1})).await?;
        self.becomes("a session runs once its task is claimed", &session, "running").await?;
        self.person(&format!("/sessions/{session}/stop"), &json!({})).await?;
        self.becomes("a session that is stopped ends", &session, "stopped").await?;
        let heard = self.call(&place, &json!({"seq": 2})).await?;
        self.checks
            .holds("its agent is notified of the cancellation", heard.1["cancel"] == true, || heard.1.to_string());
        Ok(())
    }

    async fn rotates(&mut self) -> Result<()> {
        let answer = self.call("/token/rotate", &json!({})).await?;
        self.expect("a token is rotated", &answer, 200, None);
        let heartbeat = json!({"status": "healthy", "current_load": 0, "tasks_in_progress": 0});
        let old = self.call("/heartbeat", &heartbeat).await?;
        self.expect("the old token keeps working for a while", &old, 204, None);
        answer.1["auth_token"].as_str().unwrap_or_default().clone_into(&mut self.token);
        let new = self.call("/heartbeat", &heartbeat).await?;
        self.expect("the new token works", &new, 204, None);
        Ok(())
    }
}

fn result_of(task: &Value) -> Value {
    json!({"task_id": task["task_id"], "lease_token": task["lease"]["token"], "status": "completed",
        "output_data": {"text": "Done."}, "execution_time_ms": 1, "tokens_used": 5, "cost_usd": "0.001"})
}

async fn sent(request: reqwest::RequestBuilder) -> Result<Answer> {
    let answer = request.send().await.context("the server does not answer")?;
    Ok((answer.status().as_u16(), answer.json().await.unwrap_or_default()))
}
