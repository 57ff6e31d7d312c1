//! The calls about tasks, as one of the agents that the runner works as.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    credential::SharedCredential,
    error::{CallError, CallFailure},
    wire::{ClaimedTasks, Report, ReportAnswer, Task, TaskResult},
};

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
}

impl ControlPlane {
    pub fn new(http: reqwest::Client, url: &str, agent_id: String, credential: SharedCredential) -> Self {
        Self { http, url: url.trim_end_matches('/').to_owned(), agent_id, credential }
    }

    /// Takes tasks, and waits for the first one.
    pub async fn claim(&self, most: usize, wait: Duration) -> Result<Vec<Task>, CallError> {
        let body = json!({"max": most.min(10), "wait_seconds": wait.as_secs().min(20)});
        let response = self.call(Method::POST, "tasks/claim", &body, CALL_TIME + wait).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Vec::new());
        }
        Ok(read_json::<ClaimedTasks>(response).await?.tasks)
    }

    /// Reports on a task, which renews its lease.
    pub async fn report(&self, task: &str, report: &Report) -> Result<ReportAnswer, CallError> {
        read_json(self.call(Method::POST, &format!("tasks/{task}/progress"), report, CALL_TIME).await?).await
    }

    /// Uploads a file before the result that names it, and returns its hash.
    pub async fn upload(&self, task: &str, content: Vec<u8>) -> Result<String, CallError> {
        let hash = hex::encode(Sha256::digest(&content));
        let request = self.request(Method::PUT, &format!("tasks/{task}/artifacts/{hash}")).body(content);
        send(request.header("content-type", "application/octet-stream"), CALL_TIME).await?;
        Ok(hash)
    }

    /// Reports the end of a task.
    pub async fn send_result(&self, result: &TaskResult) -> Result<(), CallError> {
        let path = format!("tasks/{}/result", result.task_id);
        self.call(Method::POST, &path, result, CALL_TIME).await.map(|_| ())
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
