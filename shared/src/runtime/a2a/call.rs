//! Calls to an agent, by either binding: bounded in time and size, followed nowhere, and never believed further than they
//! can be read.

use ::a2a::{
    A2AError, JsonRpcId, JsonRpcRequest, JsonRpcResponse, Message, SVC_PARAM_VERSION, SendMessageConfiguration,
    SendMessageRequest, SendMessageResponse, Task, TaskPushNotificationConfig, VERSION, error_code, jsonrpc::methods,
    reason_to_error_code,
};
use reqwest::{Method, RequestBuilder, StatusCode, Url, header};
use serde_json::{Map, Value, json};

use crate::session::outcome::{Category, Failure};

use super::card::{Binding, Peer, closed};

/// The most bytes of an answer.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The longest id that an agent may give.
const LONGEST_ID: usize = 512;
/// How many messages of a task's history are asked for.
pub(super) const HISTORY: usize = 100;

/// Why a call has no result.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The agent says so, in the words of the protocol.
    Peer(A2AError),
    Failed(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Failed(failure) => failure,
            Trouble::Peer(error) if error.code == error_code::INTERNAL_ERROR => {
                Self::transient("AGENT_ERROR", format!("The agent has an error of its own: {}", error.message))
            }
            Trouble::Peer(error) => {
                Self::new(Category::Agent, "AGENT_REFUSED", format!("The agent refused the call: {}", error.message))
            }
        }
    }
}

/// Whether the agent does not take a message as it is, and would not take it later either.
pub(super) fn is_refusal(error: &A2AError) -> bool {
    use error_code::{INVALID_PARAMS, INVALID_REQUEST, TASK_NOT_FOUND, UNSUPPORTED_OPERATION};
    matches!(error.code, INVALID_PARAMS | INVALID_REQUEST | TASK_NOT_FOUND | UNSUPPORTED_OPERATION)
}

/// What is asked of an agent.
pub(super) enum Verb<'a> {
    Send(Box<SendMessageRequest>),
    Get { task: &'a str },
    List { context: &'a str },
    Cancel { task: &'a str },
}

impl Peer {
    /// Says something, without waiting for what comes of it.
    pub(super) async fn send(
        &self,
        message: Message,
        push: Option<TaskPushNotificationConfig>,
    ) -> Result<SendMessageResponse, Trouble> {
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
        let mut answer = self.call(&Verb::Send(Box::new(request))).await?;
        if let Some(task) = answer.get_mut("task") {
            fill(task);
        }
        if let Some(message) = answer.get_mut("message") {
            fill_parts(message);
        }
        let response = serde_json::from_value(answer).map_err(|_| garbage())?;
        if let SendMessageResponse::Task(task) = &response {
            check_id(task)?;
        }
        Ok(response)
    }

    /// A task as it stands, with the end of its history.
    pub(super) async fn task(&self, id: &str) -> Result<Task, Trouble> {
        let task = read_task(self.call(&Verb::Get { task: id }).await?)?;
        if task.id == id { Ok(task) } else { Err(garbage().into()) }
    }

    pub(super) async fn cancel(&self, id: &str) -> Result<Task, Trouble> {
        Ok(read_task(self.call(&Verb::Cancel { task: id }).await?)?)
    }

    pub(super) async fn call(&self, verb: &Verb<'_>) -> Result<Value, Trouble> {
        let request = match self.binding {
            Binding::HttpJson => self.by_http(verb)?,
            Binding::JsonRpc => self.by_rpc(verb)?,
        };
        let mut request = request.header(SVC_PARAM_VERSION, VERSION).timeout(self.call_time);
        if let Some((name, value)) = &self.proof {
            request = request.header(name.clone(), value.clone());
        }
        let (status, body) = send(request).await?;
        match self.binding {
            Binding::HttpJson => of_http(verb, status, &body),
            Binding::JsonRpc => of_rpc(status, &body),
        }
    }

    fn by_http(&self, verb: &Verb<'_>) -> Result<RequestBuilder, Failure> {
        let last;
        let (method, path, body) = match verb {
            Verb::Send(request) => (Method::POST, vec!["message:send"], Some(json!(request))),
            Verb::Get { task } => (Method::GET, vec!["tasks", task], None),
            Verb::List { .. } => (Method::GET, vec!["tasks"], None),
            Verb::Cancel { task } => {
                last = format!("{task}:cancel");
                (Method::POST, vec!["tasks", last.as_str()], Some(json!({"id": task})))
            }
        };
        let mut url = Url::parse(&self.url).map_err(|_| closed(&self.url, "is not a URL"))?;
        url.path_segments_mut()
            .map_err(|()| closed(&self.url, "is not a URL of https"))?
            .pop_if_empty()
            .extend(self.tenant.as_deref())
            .extend(path);
        let request = self.outbound.request(method, url.as_str()).map_err(|why| closed(&self.url, why))?;
        let request = match verb {
            Verb::Get { .. } => request.query(&[("historyLength", HISTORY)]),
            Verb::List { context } => request.query(&[("contextId", *context), ("pageSize", "50")]),
            Verb::Send(_) | Verb::Cancel { .. } => request,
        };
        Ok(match body {
            Some(body) => request.json(&body),
            None => request,
        })
    }

    fn by_rpc(&self, verb: &Verb<'_>) -> Result<RequestBuilder, Failure> {
        let (method, mut params) = match verb {
            Verb::Send(request) => (methods::SEND_MESSAGE, json!(request)),
            Verb::Get { task } => (methods::GET_TASK, json!({"id": task, "historyLength": HISTORY})),
            Verb::List { context } => (methods::LIST_TASKS, json!({"contextId": context, "pageSize": 50})),
            Verb::Cancel { task } => (methods::CANCEL_TASK, json!({"id": task})),
        };
        if let (Some(tenant), Some(params)) = (&self.tenant, params.as_object_mut()) {
            params.insert("tenant".to_owned(), json!(tenant));
        }
        let request = JsonRpcRequest::new(JsonRpcId::Number(1), method, Some(params));
        let call = self.outbound.request(Method::POST, &self.url).map_err(|why| closed(&self.url, why))?;
        Ok(call.json(&request))
    }
}

/// Sends a call and takes its whole answer in.
pub(super) async fn send(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Failure> {
    let request = request.header(header::ACCEPT, "application/a2a+json, application/json");
    let lost = |error: reqwest::Error| {
        let why = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        tracing::debug!(error = ?error.without_url(), "an agent {why}");
        Failure::transient("AGENT_UNREACHABLE", format!("The agent {why}."))
    };
    let mut response = request.send().await.map_err(lost)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MOST_BYTES {
            let message = format!("The agent answers with more than {} MiB.", MOST_BYTES / 1024 / 1024);
            return Err(Failure::new(Category::Agent, "ANSWER_TOO_LARGE", message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}

/// What it means that a call was not answered with success, and not in the words of the protocol.
pub(super) fn refused(status: StatusCode, what: &str) -> Failure {
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

fn garbage() -> Failure {
    Failure::new(Category::Agent, "AGENT_GARBAGE", "The agent answers with what is not A2A 1.0.")
}

fn of_http(verb: &Verb<'_>, status: StatusCode, body: &[u8]) -> Result<Value, Trouble> {
    if status.is_success() {
        return serde_json::from_slice(body).map_err(|_| garbage().into());
    }
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let details = told["error"]["details"].as_array().into_iter().flatten();
    let code = details.filter_map(|one| one["reason"].as_str()).find_map(reason_to_error_code);
    if let Some(code) = code {
        return Err(Trouble::Peer(A2AError::new(code, words(&told["error"]["message"]))));
    }
    // Who does not speak the protocol's errors still has statuses.
    match (verb, status) {
        (Verb::Get { task } | Verb::Cancel { task }, StatusCode::NOT_FOUND) => {
            Err(Trouble::Peer(A2AError::task_not_found(task)))
        }
        (_, StatusCode::BAD_REQUEST) => Err(Trouble::Peer(A2AError::invalid_params(words(&told["error"]["message"])))),
        _ => Err(refused(status, "The agent did not do what it was asked").into()),
    }
}

fn of_rpc(status: StatusCode, body: &[u8]) -> Result<Value, Trouble> {
    let answer = serde_json::from_slice::<JsonRpcResponse>(body).ok();
    match answer {
        Some(JsonRpcResponse { error: Some(error), .. }) => {
            Err(Trouble::Peer(A2AError::new(error.code, words(&json!(error.message)))))
        }
        Some(JsonRpcResponse { result: Some(result), .. }) if status.is_success() => Ok(result),
        _ if !status.is_success() => Err(refused(status, "The agent did not do what it was asked").into()),
        _ => Err(garbage().into()),
    }
}

fn words(message: &Value) -> String {
    message.as_str().unwrap_or("it does not say why").chars().take(500).collect()
}

/// The tasks of a list; what cannot be read of it is not there.
pub(super) fn tasks(mut listed: Value) -> Vec<Task> {
    let found = listed.get_mut("tasks").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    found.into_iter().filter_map(|task| read_task(task).ok()).collect()
}

fn read_task(mut task: Value) -> Result<Task, Failure> {
    fill(&mut task);
    let task: Task = serde_json::from_value(task).map_err(|_| garbage())?;
    check_id(&task)?;
    Ok(task)
}

fn check_id(task: &Task) -> Result<(), Failure> {
    let fits = (1..=LONGEST_ID).contains(&task.id.len()) && task.context_id.len() <= LONGEST_ID;
    if fits { Ok(()) } else { Err(garbage()) }
}

/// Puts into a task what protobuf's JSON leaves out where it is empty, and takes out the parts of kinds to come.
fn fill(task: &mut Value) {
    let Some(map) = task.as_object_mut() else { return };
    map.entry("contextId").or_insert_with(|| json!(""));
    if let Some(status) = map.entry("status").or_insert_with(|| json!({})).as_object_mut() {
        status.entry("state").or_insert_with(|| json!("TASK_STATE_UNSPECIFIED"));
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
