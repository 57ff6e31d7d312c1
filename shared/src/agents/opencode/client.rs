//! The HTTP calls that we make to OpenCode's server: bounded in time each, lenient in what they read.
//!
//! The server accepts connections a moment before it can answer, and such a request is never answered: without a bound
//! a caller would wait for ever.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    settings::Settings,
    wire::{Agent, Message, PermissionRequest, Providers, QuestionRequest, Session, Statuses},
};
use crate::{
    kernel::{
        failure::{Category, Failure},
        lenient_json::read_lenient,
    },
    platform::tls::http_client_builder,
};

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The server knows no such session, question or permission.
    Missing,
    /// The session is at work.
    Busy,
    Failure(Failure),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => lost(),
            Refusal::Busy => Self::transient("AGENT_BUSY", "The agent's session is busy."),
            Refusal::Failure(failure) => failure,
        }
    }
}

/// The agent forgot the session: a run that starts anew from a checkpoint can go on.
pub(super) fn lost() -> Failure {
    Failure::transient("AGENT_SESSION_LOST", "The agent no longer has the session.")
}

/// Nothing, where a missing thing is no failure.
pub(super) fn optional<T>(answer: Result<T, Refusal>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Refusal::Missing) => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    username: String,
    password: String,
    timeout: Duration,
}

/// Connections to a server of our own network.
pub(super) fn connections() -> Result<reqwest::Client, Failure> {
    let failed = |error: String| Failure::new(Category::Internal, "AGENT_SETTINGS", error);
    http_client_builder()
        .map_err(|error| failed(error.to_string()))?
        .connect_timeout(Duration::from_secs(5))
        .no_proxy() // an agent stands in our own network
        .redirect(reqwest::redirect::Policy::none()) // the password goes to nobody else
        .build()
        .map_err(|error| failed(error.to_string()))
}

impl Client {
    pub(super) fn new(http: reqwest::Client, settings: &Settings) -> Self {
        Self {
            http,
            base: settings.base_url.trim_end_matches('/').to_owned(),
            username: settings.username.clone(),
            password: settings.password.clone(),
            timeout: settings.call_timeout,
        }
    }

    /// Asks whether the server works. Loads nothing of any directory.
    pub(super) async fn check_health(&self) -> Result<(), Refusal> {
        let request = self.http.get(format!("{}/global/health", self.base)).timeout(self.timeout);
        let request = request.basic_auth(&self.username, Some(&self.password));
        let response = request.send().await.map_err(|error| Refusal::Failure(unreachable(&error)))?;
        // Older servers have no such page; they answer nevertheless.
        match refusal(response.status()) {
            None | Some(Refusal::Missing) => Ok(()),
            Some(refusal) => Err(refusal),
        }
    }

    pub(super) async fn agents(&self, directory: &str) -> Result<Vec<Agent>, Refusal> {
        self.get("/agent", directory).await
    }

    pub(super) async fn providers(&self, directory: &str) -> Result<Providers, Refusal> {
        self.get("/config/providers", directory).await
    }

    pub(super) async fn create(&self, directory: &str, body: &Value) -> Result<Session, Refusal> {
        self.read(Method::POST, "/session", directory, Some(body), self.timeout).await
    }

    /// The newest sessions of a directory.
    pub(super) async fn sessions(&self, directory: &str) -> Result<Vec<Session>, Refusal> {
        self.get("/session?limit=100", directory).await
    }

    pub(super) async fn session(&self, directory: &str, id: &str) -> Result<Session, Refusal> {
        self.get(&format!("/session/{id}"), directory).await
    }

    pub(super) async fn children(&self, directory: &str, id: &str) -> Result<Vec<Session>, Refusal> {
        self.get(&format!("/session/{id}/children"), directory).await
    }

    /// Replaces the metadata; the server does not merge it.
    pub(super) async fn set_metadata(&self, directory: &str, id: &str, metadata: &Value) -> Result<(), Refusal> {
        let body = json!({"metadata": metadata});
        self.send(Method::PATCH, &format!("/session/{id}"), directory, Some(&body), self.timeout).await.map(drop)
    }

    /// Deletes a session and its children, even a busy one.
    pub(super) async fn delete(&self, directory: &str, id: &str) -> Result<(), Refusal> {
        self.send(Method::DELETE, &format!("/session/{id}"), directory, None, self.timeout).await.map(drop)
    }

    pub(super) async fn statuses(&self, directory: &str) -> Result<Statuses, Refusal> {
        self.get("/session/status", directory).await
    }

    pub(super) async fn permissions(&self, directory: &str) -> Result<Vec<PermissionRequest>, Refusal> {
        self.get("/permission", directory).await
    }

    pub(super) async fn questions(&self, directory: &str) -> Result<Vec<QuestionRequest>, Refusal> {
        self.get("/question", directory).await
    }

    /// A page of messages in ascending order, the newest without a cursor; and the cursor of the page before.
    pub(super) async fn messages(
        &self,
        directory: &str,
        id: &str,
        before: Option<&str>,
    ) -> Result<(Vec<Message>, Option<String>), Refusal> {
        let path = match before {
            None => format!("/session/{id}/message?limit=10"), // most looks need the newest few only
            Some(before) => format!("/session/{id}/message?limit=40&before={before}"),
        };
        let response = self.send(Method::GET, &path, directory, None, self.timeout).await?;
        let next = response.headers().get("x-next-cursor").and_then(|next| next.to_str().ok()).map(str::to_owned);
        Ok((parse(response).await?, next))
    }

    /// Answered before anything is stored: proves nothing.
    pub(super) async fn prompt(&self, directory: &str, id: &str, body: &Value) -> Result<(), Refusal> {
        self.send(Method::POST, &format!("/session/{id}/prompt_async"), directory, Some(body), self.timeout)
            .await
            .map(drop)
    }

    /// Says true of an idle and of an unknown session too.
    pub(super) async fn abort(&self, directory: &str, id: &str) -> Result<(), Refusal> {
        self.send(Method::POST, &format!("/session/{id}/abort"), directory, Some(&json!({})), self.timeout)
            .await
            .map(drop)
    }

    /// Runs a command line in a session and answers when it is done; the command goes on when we do not wait for it.
    pub(super) async fn shell(
        &self,
        directory: &str,
        id: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<Message, Refusal> {
        self.read(Method::POST, &format!("/session/{id}/shell"), directory, Some(body), timeout).await
    }

    /// Answers a permission or a question; `path` names which and how.
    pub(super) async fn reply(&self, directory: &str, path: &str, body: &Value) -> Result<(), Refusal> {
        self.send(Method::POST, path, directory, Some(body), self.timeout).await.map(drop)
    }

    /// Has the server forget what it holds in memory for a directory.
    pub(super) async fn dispose(&self, directory: &str) -> Result<(), Refusal> {
        self.send(Method::POST, "/instance/dispose", directory, Some(&json!({})), self.timeout).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, directory: &str) -> Result<T, Refusal> {
        self.read(Method::GET, path, directory, None, self.timeout).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        directory: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> Result<T, Refusal> {
        parse(self.send(method, path, directory, body, timeout).await?).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        directory: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> Result<reqwest::Response, Refusal> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .basic_auth(&self.username, Some(&self.password))
            .query(&[("directory", directory)])
            .timeout(timeout);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| Refusal::Failure(unreachable(&error)))?;
        match refusal(response.status()) {
            None => Ok(response),
            Some(Refusal::Failure(mut failure)) => {
                let body = response.text().await.unwrap_or_default();
                failure.message = format!("{} {}", failure.message, body.chars().take(300).collect::<String>());
                Err(Refusal::Failure(failure))
            }
            Some(refusal) => Err(refusal),
        }
    }
}

async fn parse<T: DeserializeOwned>(response: reqwest::Response) -> Result<T, Refusal> {
    let body = response.bytes().await.map_err(|error| Refusal::Failure(unreachable(&error)))?;
    let not_understood =
        |error: serde_json::Error| Refusal::Failure(Failure::not_understood(&error.to_string(), &body));
    let mut value = read_lenient(&body).map_err(not_understood)?;
    drop_nulls(&mut value);
    serde_json::from_value(value).map_err(not_understood)
}

/// Null means absent here, and absent has a default.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, each| !each.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Without the address: it may be an inner one, and is in our settings anyway.
fn unreachable(error: &reqwest::Error) -> Failure {
    let why = if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "broke off its answer"
    };
    Failure::transient("AGENT_UNREACHABLE", format!("The agent's server {why}."))
}

fn refusal(status: StatusCode) -> Option<Refusal> {
    let failure = |category, code: &str, what: &str| {
        Some(Refusal::Failure(Failure::new(
            category,
            code,
            format!("The agent's server {what} ({}).", status.as_u16()),
        )))
    };
    match status.as_u16() {
        200..=299 => None,
        401 | 403 => failure(Category::Auth, "AGENT_REFUSED", "refuses our credential"),
        404 => Some(Refusal::Missing),
        409 => Some(Refusal::Busy),
        408 | 425 | 429 | 500..=599 => failure(Category::Transient, "AGENT_UNREACHABLE", "cannot serve at the moment"),
        _ => failure(Category::Internal, "AGENT_PROTOCOL", "does not take the call"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whose_fault_it_is() {
        for (status, code) in [(401, "AGENT_REFUSED"), (503, "AGENT_UNREACHABLE"), (400, "AGENT_PROTOCOL")] {
            let refused = refusal(StatusCode::from_u16(status).unwrap()).map(Failure::from);
            assert_eq!(refused.unwrap().code, code);
        }
        assert!(refusal(StatusCode::NO_CONTENT).is_none());
        assert!(matches!(refusal(StatusCode::NOT_FOUND), Some(Refusal::Missing)));
    }

    #[test]
    fn a_null_is_as_good_as_nothing() {
        let mut value =
            json!({"id": null, "time": {"created": 1, "completed": null}, "metadata": {"a": [null, {"b": null}]}});
        drop_nulls(&mut value);
        let session: Session = serde_json::from_value(value).unwrap();
        assert_eq!(session.time.created_ms(), 1);
    }
}
