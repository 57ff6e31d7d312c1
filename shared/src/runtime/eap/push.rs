//! Calls to the endpoints of agents: signed as Standard Webhooks has it, bounded in time and size, never redirected.

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
    agent::Contact,
    clock::Clock,
    external::{
        MAX_RESULT,
        result::NewResult,
        sign::signature,
        task::{Leased, Message},
    },
    id::{ExternalTaskId, MessageId},
    outbound::{Allowed, Outbound, System},
    session::outcome::{Category, Failure},
};

/// The largest answer beyond which nothing is read; a result may be answered at once.
const MAX_ANSWER: usize = MAX_RESULT;

/// What an endpoint answers a task with.
pub(super) enum Pushed {
    /// It calls back.
    Accepted,
    Done(Box<NewResult>),
}

/// Makes the calls. The client is made with the first.
pub(super) struct Push {
    allowed: Allowed,
    outbound: OnceLock<Outbound>,
    clock: Clock,
    timeout: Duration,
}

impl Push {
    pub(super) fn new(allowed: Allowed, clock: Clock, timeout: Duration) -> Self {
        Self { allowed, outbound: OnceLock::new(), clock, timeout }
    }

    /// Hands a task over. However often it is tried, it is known by one id: that of the task.
    pub(super) async fn task(&self, agent: &Contact, secret: &str, leased: &Leased) -> Result<Pushed, Failure> {
        let id = leased.task.task_id.to_string();
        let response = self.post(agent, secret, "task", &id, leased).await?;
        match response.status() {
            StatusCode::ACCEPTED => Ok(Pushed::Accepted),
            StatusCode::OK => {
                let body = whole(response).await?;
                let result = serde_json::from_slice(&body).map_err(|error| garbage(&error.to_string()))?;
                Ok(Pushed::Done(Box::new(result)))
            }
            status => Err(refused(status)),
        }
    }

    /// Hands over what was said. An endpoint that takes no messages hears of it when it reports.
    pub(super) async fn message(
        &self,
        agent: &Contact,
        secret: &str,
        task: ExternalTaskId,
        id: MessageId,
        message: &Message,
    ) -> Result<(), Failure> {
        let body = json!({"task_id": task, "message": message});
        told(&self.post(agent, secret, "message", &id.to_string(), &body).await?)
    }

    /// Calls a task off. An endpoint that takes no such call hears of it when it reports.
    pub(super) async fn cancel(&self, agent: &Contact, secret: &str, task: ExternalTaskId) -> Result<(), Failure> {
        let body = json!({"task_id": task});
        told(&self.post(agent, secret, "cancel", &format!("{task}.cancel"), &body).await?)
    }

    async fn post(
        &self,
        agent: &Contact,
        secret: &str,
        verb: &str,
        id: &str,
        body: &impl Serialize,
    ) -> Result<Response, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| internal(&error.to_string()))?;
        let timestamp = self.clock.now().timestamp();
        let signed = signature(secret, id, timestamp, &body).ok_or_else(|| internal("the secret signs nothing"))?;
        let url = format!("{}/{verb}", agent.endpoint_url.as_deref().unwrap_or_default());
        let request = self.outbound()?.request(Method::POST, &url).map_err(closed)?;
        let request = request
            .timeout(self.timeout)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signed)
            .body(body);
        let response = request.send().await.map_err(|error| unreachable(&error))?;
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
        let made = Outbound::new(self.allowed.clone(), Arc::new(System)).map_err(|error| internal(error.detail()))?;
        Ok(self.outbound.get_or_init(|| made))
    }
}

/// The answer to a message or a cancel, of which only failures of the moment matter.
fn told(response: &Response) -> Result<(), Failure> {
    let status = response.status();
    let takes_none =
        [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::GONE, StatusCode::NOT_IMPLEMENTED];
    if status.is_success() || takes_none.contains(&status) { Ok(()) } else { Err(refused(status)) }
}

async fn whole(mut response: Response) -> Result<BytesMut, Failure> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(garbage(&format!("it has more than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An answer that is no result.
pub(super) fn garbage(why: &str) -> Failure {
    Failure::transient("AGENT_ANSWER_INVALID", format!("The agent's answer is not a result: {why}."))
}

fn refused(status: StatusCode) -> Failure {
    let message = format!("The agent's endpoint answered with {}.", status.as_u16());
    match status.as_u16() {
        401 | 403 => Failure::new(Category::Auth, "AGENT_REFUSED", message),
        408 | 425 | 429 | 500..=599 => Failure::transient("AGENT_ERROR", message),
        200..=299 => garbage(&format!("a task is answered with 200 or 202, not with {}", status.as_u16())),
        _ => Failure::new(Category::Agent, "AGENT_REFUSED", message),
    }
}

fn closed(why: &str) -> Failure {
    Failure::new(Category::Policy, "ENDPOINT_REFUSED", format!("The agent's endpoint must not be called: it {why}."))
}

fn unreachable(error: &reqwest::Error) -> Failure {
    let mut cause = error.source();
    while let Some(one) = cause {
        if one.to_string().contains("address that is not public") {
            return closed("leads to an address that is not public");
        }
        cause = one.source();
    }
    if error.is_timeout() {
        return Failure::transient("AGENT_TIMEOUT", "The agent's endpoint did not answer in time.");
    }
    Failure::transient("AGENT_UNREACHABLE", "The agent's endpoint cannot be reached.")
}

fn internal(why: &str) -> Failure {
    tracing::warn!(why, "a push could not be made");
    Failure::new(Category::Internal, "INTERNAL", "Something went wrong on our side.")
}
