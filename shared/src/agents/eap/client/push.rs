//! Calls to endpoints of agents: signed by Standard Webhooks, limited in time and size, never redirected.

use std::{
    error::Error as _,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::BytesMut;
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::{
    agents::{
        eap::server::{
            MAX_RESULT,
            result::NewResult,
            sign::sign_body,
            task::{LeasedTask, TaskMessage},
        },
        registry::AgentEndpoint,
    },
    kernel::{
        clock::Clock,
        failure::{Category, Failure},
        id::{ExternalTaskId, MessageId},
        lenient_json::read_lenient,
    },
    platform::http_client::{AllowedDestinations, Outbound, System},
};

/// The largest response that is read. It may contain a result.
const MAX_ANSWER: usize = MAX_RESULT;

/// The response of an endpoint to a task.
pub(super) enum PushResponse {
    /// The agent will report by calling the API.
    Accepted,
    Done(Box<NewResult>),
}

/// The HTTP client of pushes, created with the first call.
pub(super) struct Push {
    allowed: AllowedDestinations,
    outbound: OnceLock<Outbound>,
    clock: Clock,
    timeout: Duration,
}

impl Push {
    pub(super) fn new(allowed: AllowedDestinations, clock: Clock, timeout: Duration) -> Self {
        Self { allowed, outbound: OnceLock::new(), clock, timeout }
    }

    /// Pushes a task. Every attempt has the same id, that of the task.
    pub(super) async fn push_task(
        &self,
        agent: &AgentEndpoint,
        secret: &str,
        leased: &LeasedTask,
    ) -> Result<PushResponse, Failure> {
        let id = leased.task.task_id.to_string();
        let response = self.post_signed(agent, secret, "task", &id, leased).await?;
        match response.status() {
            StatusCode::ACCEPTED => Ok(PushResponse::Accepted),
            StatusCode::OK => {
                let body = read_body(response).await?;
                let result = read_lenient(&body).and_then(serde_json::from_value);
                let result = result.map_err(|error| malformed_response(&error.to_string()))?;
                Ok(PushResponse::Done(Box::new(result)))
            }
            status => Err(refused_failure(status)),
        }
    }

    /// Pushes a message. An endpoint that does not accept messages receives it with its next report.
    pub(super) async fn push_message(
        &self,
        agent: &AgentEndpoint,
        secret: &str,
        task: ExternalTaskId,
        id: MessageId,
        message: &TaskMessage,
    ) -> Result<(), Failure> {
        let body = json!({"task_id": task, "message": message});
        check_response(&self.post_signed(agent, secret, "message", &id.to_string(), &body).await?)
    }

    /// Asks whether the endpoint answers. An endpoint that does not know the call answers too.
    pub(super) async fn push_ping(&self, agent: &AgentEndpoint, secret: &str) -> Result<(), Failure> {
        let id = format!("{}.ping.{}", agent.id, self.clock.now().timestamp_millis());
        check_response(&self.post_signed(agent, secret, "ping", &id, &json!({"agent_id": agent.id})).await?)
    }

    /// Cancels a task. An endpoint that does not accept the call learns of it with its next report.
    pub(super) async fn push_cancel(
        &self,
        agent: &AgentEndpoint,
        secret: &str,
        task: ExternalTaskId,
    ) -> Result<(), Failure> {
        let body = json!({"task_id": task});
        check_response(&self.post_signed(agent, secret, "cancel", &format!("{task}.cancel"), &body).await?)
    }

    async fn post_signed(
        &self,
        agent: &AgentEndpoint,
        secret: &str,
        verb: &str,
        id: &str,
        body: &impl Serialize,
    ) -> Result<Response, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| internal_failure(&error.to_string()))?;
        let timestamp = self.clock.now().timestamp();
        let signed =
            sign_body(secret, id, timestamp, &body).ok_or_else(|| internal_failure("the secret signs nothing"))?;
        let url = format!("{}/{verb}", agent.endpoint_url.as_deref().unwrap_or_default());
        let request = self.outbound()?.request(Method::POST, &url).map_err(url_refused)?;
        let request = request
            .timeout(self.timeout)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signed)
            .body(body);
        let response = request.send().await.map_err(|error| unreachable_failure(&error))?;
        if response.status().is_redirection() {
            let message = "The agent's endpoint leads elsewhere; redirects are not followed.";
            return Err(Failure::new(Category::Policy, "ENDPOINT_REDIRECTS", message));
        }
        Ok(response)
    }

    fn outbound(&self) -> Result<&Outbound, Failure> {
        if let Some(made) = self.outbound.get() {
            return Ok(made);
        }
        let made =
            Outbound::new(self.allowed.clone(), Arc::new(System)).map_err(|error| internal_failure(error.detail()))?;
        Ok(self.outbound.get_or_init(|| made))
    }
}

/// The response to a message or a cancellation, of which only transient failures matter.
fn check_response(response: &Response) -> Result<(), Failure> {
    let status = response.status();
    let takes_none =
        [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::GONE, StatusCode::NOT_IMPLEMENTED];
    if status.is_success() || takes_none.contains(&status) { Ok(()) } else { Err(refused_failure(status)) }
}

async fn read_body(mut response: Response) -> Result<BytesMut, Failure> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable_failure(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(malformed_response(&format!("it has more than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The failure for a response that is not a valid result.
pub(super) fn malformed_response(why: &str) -> Failure {
    Failure::transient("AGENT_ANSWER_INVALID", format!("The agent's answer is not a result: {why}."))
}

fn refused_failure(status: StatusCode) -> Failure {
    let message = format!("The agent's endpoint answered with {}.", status.as_u16());
    match status.as_u16() {
        401 | 403 => Failure::new(Category::Auth, "AGENT_REFUSED", message),
        408 | 425 | 429 | 500..=599 => Failure::transient("AGENT_ERROR", message),
        200..=299 => malformed_response(&format!("a task is answered with 200 or 202, not with {}", status.as_u16())),
        _ => Failure::new(Category::Agent, "AGENT_REFUSED", message),
    }
}

fn url_refused(why: &str) -> Failure {
    Failure::new(Category::Policy, "ENDPOINT_REFUSED", format!("The agent's endpoint must not be called: it {why}."))
}

fn unreachable_failure(error: &reqwest::Error) -> Failure {
    let mut cause = error.source();
    while let Some(one) = cause {
        if one.to_string().contains("address that is not public") {
            return url_refused("leads to an address that is not public");
        }
        cause = one.source();
    }
    if error.is_timeout() {
        return Failure::transient("AGENT_TIMEOUT", "The agent's endpoint did not answer in time.");
    }
    Failure::transient("AGENT_UNREACHABLE", "The agent's endpoint cannot be reached.")
}

fn internal_failure(why: &str) -> Failure {
    tracing::warn!(why, "a push failed");
    Failure::new(Category::Internal, "INTERNAL", "Something went wrong on our side.")
}
