//! Calls to an agent by either binding. They are limited in time and size, and redirects are never followed.

use ::a2a::{
    A2AError, JsonRpcId, JsonRpcRequest, JsonRpcResponse, Message, SVC_PARAM_VERSION, SendMessageConfiguration,
    SendMessageRequest, SendMessageResponse, Task, TaskPushNotificationConfig, TaskState, VERSION, error_code,
    jsonrpc::methods, reason_to_error_code,
};
use reqwest::{Method, RequestBuilder, StatusCode, Url, header};
use serde_json::{Map, Value, json};

use crate::kernel::{
    failure::{AGENT_PROTOCOL, Category, Failure},
    lenient_json::read_lenient,
};

use super::peer::{Binding, Peer, url_refused};

/// The largest response, in bytes.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;
/// The longest id that an agent may assign, in bytes.
const MAX_ID_BYTES: usize = 512;
/// How many messages of the history are requested.
pub(super) const HISTORY_LENGTH: usize = 100;

/// Why a call failed.
#[derive(Debug)]
pub(super) enum CallError {
    /// An error that the agent returned by the protocol.
    Peer(A2AError),
    Failed(Failure),
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<CallError> for Failure {
    fn from(trouble: CallError) -> Self {
        match trouble {
            CallError::Failed(failure) => failure,
            CallError::Peer(error) if error.code == error_code::INTERNAL_ERROR => {
                Self::transient("AGENT_ERROR", format!("The agent reports an internal error: {}", error.message))
            }
            CallError::Peer(error) => {
                Self::new(Category::Agent, "AGENT_REFUSED", format!("The agent refused the call: {}", error.message))
            }
        }
    }
}

/// Whether the agent rejects the message permanently, so that a retry is pointless.
pub(super) fn is_refusal(error: &A2AError) -> bool {
    use error_code::{INVALID_PARAMS, INVALID_REQUEST, TASK_NOT_FOUND, UNSUPPORTED_OPERATION};
    matches!(error.code, INVALID_PARAMS | INVALID_REQUEST | TASK_NOT_FOUND | UNSUPPORTED_OPERATION)
}

/// A method of the protocol, with its arguments.
pub(super) enum A2aCall<'a> {
    Send(Box<SendMessageRequest>),
    Get { task: &'a str },
    List { context: &'a str },
    Cancel { task: &'a str },
}

impl Peer {
    /// Sends a message without waiting for its outcome.
    pub(super) async fn send_message(
        &self,
        message: Message,
        push: Option<TaskPushNotificationConfig>,
    ) -> Result<SendMessageResponse, CallError> {
        let configuration = SendMessageConfiguration {
            accepted_output_modes: None,
            task_push_notification_config: push,
            history_length: None,
            return_immediately: Some(true),
        };
        let request = SendMessageRequest {
            message,
            configuration: Some(configuration),
            metadata: None,
            tenant: self.tenant.clone(),
        };
        let mut answer = self.call_agent(&A2aCall::Send(Box::new(request))).await?;
        if let Some(task) = answer.get_mut("task") {
            fill_task(task);
        }
        if let Some(message) = answer.get_mut("message") {
            fill_parts(message);
        }
        let response = serde_json::from_value(answer).map_err(|_| malformed_response())?;
        if let SendMessageResponse::Task(task) = &response {
            check_id(task)?;
        }
        Ok(response)
    }

    /// Gets a task with the end of its history.
    pub(super) async fn get_task(&self, id: &str) -> Result<Task, CallError> {
        let task = read_task(self.call_agent(&A2aCall::Get { task: id }).await?)?;
        if task.id == id { Ok(task) } else { Err(malformed_response().into()) }
    }

    pub(super) async fn cancel_task(&self, id: &str) -> Result<Task, CallError> {
        Ok(read_task(self.call_agent(&A2aCall::Cancel { task: id }).await?)?)
    }

    pub(super) async fn call_agent(&self, call: &A2aCall<'_>) -> Result<Value, CallError> {
        let request = match self.binding {
            Binding::HttpJson => self.http_request(call)?,
            Binding::JsonRpc => self.rpc_request(call)?,
        };
        let mut request = request.header(SVC_PARAM_VERSION, VERSION).timeout(self.call_timeout);
        if let Some((name, value)) = &self.credential {
            request = request.header(name.clone(), value.clone());
        }
        let (status, body) = send_request(request).await?;
        match self.binding {
            Binding::HttpJson => http_result(call, status, &body),
            Binding::JsonRpc => rpc_result(status, &body),
        }
    }

    fn http_request(&self, call: &A2aCall<'_>) -> Result<RequestBuilder, Failure> {
        let last;
        let (method, path, body) = match call {
            A2aCall::Send(request) => (Method::POST, vec!["message:send"], Some(json!(request))),
            A2aCall::Get { task } => (Method::GET, vec!["tasks", task], None),
            A2aCall::List { .. } => (Method::GET, vec!["tasks"], None),
            A2aCall::Cancel { task } => {
                last = format!("{task}:cancel");
                (Method::POST, vec!["tasks", last.as_str()], Some(json!({"id": task})))
            }
        };
        let mut url = Url::parse(&self.url).map_err(|_| url_refused(&self.url, "is not a URL"))?;
        url.path_segments_mut()
            .map_err(|()| url_refused(&self.url, "is not a URL of https"))?
            .pop_if_empty()
            .extend(self.tenant.as_deref())
            .extend(path);
        let request = self.outbound.request(method, url.as_str()).map_err(|why| url_refused(&self.url, why))?;
        let request = match call {
            A2aCall::Get { .. } => request.query(&[("historyLength", HISTORY_LENGTH)]),
            A2aCall::List { context } => request.query(&[("contextId", *context), ("pageSize", "50")]),
            A2aCall::Send(_) | A2aCall::Cancel { .. } => request,
        };
        Ok(match body {
            Some(body) => request.json(&body),
            None => request,
        })
    }

    fn rpc_request(&self, call: &A2aCall<'_>) -> Result<RequestBuilder, Failure> {
        let (method, mut params) = match call {
            A2aCall::Send(request) => (methods::SEND_MESSAGE, json!(request)),
            A2aCall::Get { task } => (methods::GET_TASK, json!({"id": task, "historyLength": HISTORY_LENGTH})),
            A2aCall::List { context } => (methods::LIST_TASKS, json!({"contextId": context, "pageSize": 50})),
            A2aCall::Cancel { task } => (methods::CANCEL_TASK, json!({"id": task})),
        };
        if let (Some(tenant), Some(params)) = (&self.tenant, params.as_object_mut()) {
            params.insert("tenant".to_owned(), json!(tenant));
        }
        let request = JsonRpcRequest::new(JsonRpcId::Number(1), method, Some(params));
        let builder = self.outbound.request(Method::POST, &self.url).map_err(|why| url_refused(&self.url, why))?;
        Ok(builder.json(&request))
    }
}

/// Sends a request and reads the whole response.
pub(super) async fn send_request(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Failure> {
    let request = request.header(header::ACCEPT, "application/a2a+json, application/json");
    let lost = |error: reqwest::Error| {
        let why = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        tracing::debug!(error = ?error.without_url(), "an agent {why}");
        Failure::transient("AGENT_UNREACHABLE", format!("The agent {why}."))
    };
    let mut response = request.send().await.map_err(lost)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            let message = format!("The agent answers with more than {} MiB.", MAX_RESPONSE_BYTES / 1024 / 1024);
            return Err(Failure::new(Category::Agent, "ANSWER_TOO_LARGE", message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}

/// The failure for an HTTP error without a protocol error in its body.
pub(super) fn http_failure(status: StatusCode, what: &str) -> Failure {
    let message = format!("{what}: it answers with {}.", status.as_u16());
    match status.as_u16() {
        401 | 403 | 407 => Failure::new(Category::Auth, "AGENT_AUTH", message),
        300..=399 => {
            Failure::new(Category::Policy, "REDIRECT_REFUSED", format!("{message} Redirects are not followed."))
        }
        408 | 425 | 429 | 500..=599 => Failure::transient("AGENT_UNREACHABLE", message),
        _ => Failure::new(Category::Agent, "AGENT_REFUSED", message),
    }
}

fn malformed_response() -> Failure {
    Failure::new(Category::Agent, AGENT_PROTOCOL, "The response of the agent is not valid A2A 1.0.")
}

fn http_result(call: &A2aCall<'_>, status: StatusCode, body: &[u8]) -> Result<Value, CallError> {
    if status.is_success() {
        return read_lenient(body).map_err(|error| Failure::not_understood(&error.to_string(), body).into());
    }
    let body_json = read_lenient(body).unwrap_or_default();
    let details = body_json["error"]["details"].as_array().into_iter().flatten();
    let code = details.filter_map(|one| one["reason"].as_str()).find_map(reason_to_error_code);
    if let Some(code) = code {
        return Err(CallError::Peer(A2AError::new(code, error_text(&body_json["error"]["message"]))));
    }
    // Without a protocol error, the HTTP status decides.
    match (call, status) {
        (A2aCall::Get { task } | A2aCall::Cancel { task }, StatusCode::NOT_FOUND) => {
            Err(CallError::Peer(A2AError::task_not_found(task)))
        }
        (_, StatusCode::BAD_REQUEST) => {
            Err(CallError::Peer(A2AError::invalid_params(error_text(&body_json["error"]["message"]))))
        }
        _ => Err(http_failure(status, "The agent rejected the call").into()),
    }
}

fn rpc_result(status: StatusCode, body: &[u8]) -> Result<Value, CallError> {
    let answer = read_lenient(body).and_then(serde_json::from_value::<JsonRpcResponse>).ok();
    match answer {
        Some(JsonRpcResponse { error: Some(error), .. }) => {
            Err(CallError::Peer(A2AError::new(error.code, error_text(&json!(error.message)))))
        }
        Some(JsonRpcResponse { result: Some(result), .. }) if status.is_success() => Ok(result),
        _ if !status.is_success() => Err(http_failure(status, "The agent rejected the call").into()),
        _ => Err(Failure::not_understood("it is not valid JSON-RPC", body).into()),
    }
}

fn error_text(message: &Value) -> String {
    message.as_str().unwrap_or("it does not say why").chars().take(500).collect()
}

/// The tasks of a list. Malformed tasks are skipped.
pub(super) fn read_task_list(mut listed: Value) -> Vec<Task> {
    let found = listed.get_mut("tasks").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    found.into_iter().filter_map(|task| read_task(task).ok()).collect()
}

fn read_task(mut task: Value) -> Result<Task, Failure> {
    fill_task(&mut task);
    let task: Task = serde_json::from_value(task).map_err(|_| malformed_response())?;
    check_id(&task)?;
    Ok(task)
}

fn check_id(task: &Task) -> Result<(), Failure> {
    let fits = (1..=MAX_ID_BYTES).contains(&task.id.len()) && task.context_id.len() <= MAX_ID_BYTES;
    if fits { Ok(()) } else { Err(malformed_response()) }
}

/// Adds the fields that protobuf's JSON omits when they are empty, and removes parts of unknown kinds.
fn fill_task(task: &mut Value) {
    let Some(map) = task.as_object_mut() else { return };
    map.entry("contextId").or_insert_with(|| json!(""));
    if let Some(status) = map.entry("status").or_insert_with(|| json!({})).as_object_mut() {
        let state = status.entry("state").or_insert_with(|| json!("TASK_STATE_UNSPECIFIED"));
        if serde_json::from_value::<TaskState>(state.clone()).is_err() {
            // A state of a later version: the agent works until it says otherwise.
            *state = json!("TASK_STATE_UNSPECIFIED");
        }
        if let Some(message) = status.get_mut("message") {
            fill_parts(message);
        }
    }
    for list in ["history", "artifacts"] {
        for one in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            fill_parts(one);
        }
    }
}

fn fill_parts(holder: &mut Value) {
    let Some(map) = holder.as_object_mut() else { return };
    for (name, empty) in [("messageId", json!("")), ("role", json!("ROLE_AGENT")), ("artifactId", json!(""))] {
        map.entry(name).or_insert(empty);
    }
    let known = |part: &Value| part.as_object().is_some_and(holds_content);
    if let Some(parts) = map.entry("parts").or_insert_with(|| json!([])).as_array_mut() {
        parts.retain(known);
    }
}

fn holds_content(part: &Map<String, Value>) -> bool {
    ["text", "raw", "url"].iter().any(|kind| part.get(*kind).is_some_and(Value::is_string)) || part.contains_key("data")
}
