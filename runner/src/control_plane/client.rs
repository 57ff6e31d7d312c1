//! The calls about tasks, as one of the agents that the runner works as.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    credential::SharedCredential,
    environment::TaskSecrets,
    error::{CallError, CallFailure},
    signals::RunnerSignals,
    wire::{ChildSession, ClaimedTasks, NewChild, Report, ReportAnswer, Task, TaskResult},
};
use crate::secret_mask::SecretMask;

/// How long a call may take, besides the time for which a claim waits.
pub(super) const CALL_TIME: Duration = Duration::from_secs(30);

/// How much of an answer that is not understood is shown, in characters.
const SHOWN: usize = 200;

/// The control plane, as one agent of this runner calls it.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    http: reqwest::Client,
    /// The URL of the control plane, without a slash at the end.
    url: String,
    agent_id: String,
    credential: SharedCredential,
    /// What must be in no report, result or file.
    mask: SecretMask,
    signals: Arc<RunnerSignals>,
}

impl ControlPlane {
    pub fn new(http: reqwest::Client, url: &str, agent_id: String, credential: SharedCredential) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self { http, url, agent_id, credential, mask: SecretMask::default(), signals: Arc::default() }
    }

    /// The same, which is signalled when there is something to ask for.
    #[must_use]
    pub fn with_signals(self, signals: Arc<RunnerSignals>) -> Self {
        Self { signals, ..self }
    }

    pub fn signals(&self) -> &RunnerSignals {
        &self.signals
    }

    /// The agent as which it calls.
    pub fn agent_id(&self) -> &str {
        &self.agent_id
    }

    /// The same, with values that are replaced in everything that is reported, delivered or uploaded.
    #[must_use]
    pub(crate) fn hiding(&self, mask: SecretMask) -> Self {
        Self { mask, ..self.clone() }
    }

    /// What must be in nothing that leaves the runner.
    pub(crate) const fn mask(&self) -> &SecretMask {
        &self.mask
    }

    /// Takes tasks, and waits for the first one.
    pub async fn claim(&self, most: usize, wait: Duration) -> Result<Vec<Task>, CallError> {
        let body = json!({"max": most.min(10), "wait_seconds": wait.as_secs().min(20)});
        self.request_tasks(&body, wait).await
    }

    /// Takes the tasks that this runner holds, each with a new lease, as after a restart; besides them, at most one.
    pub async fn reclaim(&self) -> Result<Vec<Task>, CallError> {
        self.request_tasks(&json!({"max": 1, "wait_seconds": 0, "reclaim": true}), Duration::ZERO).await
    }

    async fn request_tasks(&self, body: &Value, wait: Duration) -> Result<Vec<Task>, CallError> {
        let response = self.call(Method::POST, "tasks/claim", body, CALL_TIME + wait).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Vec::new());
        }
        Ok(read_json::<ClaimedTasks>(response).await?.tasks)
    }

    /// Receives the secrets of a task, before anything is reported under its lease.
    pub(crate) async fn receive_secrets(&self, task: &str, lease_token: i64) -> Result<TaskSecrets, CallError> {
        let body = json!({"lease_token": lease_token});
        let response = self.call(Method::POST, &format!("tasks/{task}/secrets"), &body, CALL_TIME).await?;
        let body = response.bytes().await.map_err(unavailable)?;
        // An answer with secrets is never quoted.
        serde_json::from_slice(&body).map_err(|_| CallError {
            failure: CallFailure::Refused,
            message: "the answer with the secrets is not understood".to_owned(),
        })
    }

    /// Reports on a task, which renews its lease.
    pub async fn report(&self, task: &str, report: &Report) -> Result<ReportAnswer, CallError> {
        let body = self.without_secrets(report)?;
        read_json(self.call(Method::POST, &format!("tasks/{task}/progress"), &body, CALL_TIME).await?).await
    }

    /// Creates a session below that of a task. A request that is repeated creates no second one.
    pub(crate) async fn create_child(&self, task: &str, child: &NewChild) -> Result<ChildSession, CallError> {
        let body = self.without_secrets(child)?;
        read_json(self.call(Method::POST, &format!("tasks/{task}/sessions"), &body, CALL_TIME).await?).await
    }

    /// Uploads a file before the result that names it, and returns its hash.
    pub async fn upload(&self, task: &str, content: Vec<u8>) -> Result<String, CallError> {
        self.upload_unmasked(task, self.mask.mask_bytes(content)).await
    }

    /// The same for content that a replacement would make useless, and in which the caller has found no secret.
    pub(crate) async fn upload_unmasked(&self, task: &str, content: Vec<u8>) -> Result<String, CallError> {
        let hash = hex::encode(Sha256::digest(&content));
        let request = self.request(Method::PUT, &format!("tasks/{task}/artifacts/{hash}")).body(content);
        send(request.header("content-type", "application/octet-stream"), CALL_TIME).await?;
        Ok(hash)
    }

    /// Reports the end of a task.
    pub async fn send_result(&self, result: &TaskResult) -> Result<(), CallError> {
        let path = format!("tasks/{}/result", result.task_id);
        let body = self.without_secrets(result)?;
        self.call(Method::POST, &path, &body, CALL_TIME).await.map(|_| ())
    }

    fn without_secrets(&self, body: &impl Serialize) -> Result<Value, CallError> {
        let mut value = serde_json::to_value(body)
            .map_err(|error| CallError { failure: CallFailure::Refused, message: error.to_string() })?;
        self.mask.mask_json(&mut value);
        Ok(value)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        time: Duration,
    ) -> Result<Response, CallError> {
        send(self.request(method, path).json(body), time).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/v1/agents/external/{}/{path}", self.url, self.agent_id);
        self.http.request(method, url).bearer_auth(self.credential.current())
    }
}

pub(super) async fn send(request: RequestBuilder, time: Duration) -> Result<Response, CallError> {
    let response = request.timeout(time).send().await.map_err(unavailable)?;
    if response.status().is_success() { Ok(response) } else { Err(read_problem(response).await) }
}

fn unavailable(error: reqwest::Error) -> CallError {
    // Without the URL, which says nothing to the reader that the settings do not.
    let message = format!("the control plane does not answer: {}", error.without_url());
    CallError { failure: CallFailure::Unavailable, message }
}

pub(super) async fn read_json<T: DeserializeOwned>(response: Response) -> Result<T, CallError> {
    let body = response.bytes().await.map_err(unavailable)?;
    serde_json::from_slice(&body).map_err(|error| {
        let shown: String = String::from_utf8_lossy(&body).chars().take(SHOWN).collect();
        let message = format!("the answer of the control plane is not understood ({error}): {shown}");
        CallError { failure: CallFailure::Refused, message }
    })
}

async fn read_problem(response: Response) -> CallError {
    let status = response.status().as_u16();
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let problem: Value = response.json().await.unwrap_or_default();
    let text = |field: &str| problem[field].as_str().unwrap_or_default();
    let (code, detail, remedy) = (text("code"), text("detail"), text("remedy"));
    let message =
        format!("the control plane refused the call ({status} {code}): {detail} {remedy} {}", problem["errors"]);
    CallError { failure: CallFailure::of_answer(status, code, retry_after), message }
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, body::Bytes, extract::State, http::Uri};
    use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

    use super::*;
    use crate::control_plane::wire::{LogEntry, ReportEvent};

    type Calls = mpsc::UnboundedSender<(String, String)>;

    async fn record_call(State(calls): State<Calls>, uri: Uri, body: Bytes) -> Json<Value> {
        let _ = calls.send((uri.path().to_owned(), String::from_utf8_lossy(&body).into_owned()));
        Json(json!({}))
    }

    fn result(text: &str) -> TaskResult {
        TaskResult {
            task_id: "1".to_owned(),
            lease_token: 1,
            status: "failed",
            artifacts: Vec::new(),
            output_data: Some(json!({"text": text})),
            error_message: Some(text.to_owned()),
            error_code: None,
            error_category: None,
            retry_after_seconds: None,
            execution_time_ms: 1,
            tokens_used: 0,
            cost_usd: None,
        }
    }

    #[tokio::test]
    async fn no_call_about_a_task_holds_the_value_of_a_secret() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (calls, mut called) = mpsc::unbounded_channel();
        let router = Router::new().fallback(record_call).with_state(calls);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let credential = SharedCredential::new("credential".to_owned());
        let plane = ControlPlane::new(reqwest::Client::new(), &url, "7".to_owned(), credential);
        let plane = plane.hiding(SecretMask::of_values(["quiet otters"]));
        let entry = LogEntry { level: "info", message: "has quiet otters".to_owned() };
        let report = Report { events: vec![ReportEvent::Log(entry)], ..Report::default() };
        plane.report("1", &report).await.unwrap();
        let hash = plane.upload("1", b"+has quiet otters\n".to_vec()).await.unwrap();
        plane.send_result(&result("has quiet otters")).await.unwrap();
        let mut received = Vec::new();
        while let Ok(call) = called.try_recv() {
            received.push(call);
        }
        assert_eq!(received.len(), 3);
        for (path, body) in &received {
            assert!(body.contains("has [redacted]") && !body.contains("otters"), "{path}: {body}");
        }
        assert!(received[1].0.ends_with(&hash), "the hash is that of what was sent: {received:?}");
        assert_eq!(hash, hex::encode(Sha256::digest(b"+has [redacted]\n")));
    }
}
