//! What the operations of A2A are given: a caller at its own tenant's agent, a task's id, a body, where we are reached.

use std::ops::Deref;

use a2a::{A2AError, SVC_PARAM_VERSION, SendMessageRequest};
use axum::{
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, header, request::Parts},
};
use shared::{
    a2a::service::tenant,
    app::App,
    auth::Caller as Person,
    error::{Code, Error},
};

use super::refusal::Refused;
use crate::request::{AtLeast, Caller, Json};

/// A caller whose tenant the path names; another's is answered as an unknown one.
pub(super) struct At<R>(Caller<R>);

impl<R> Deref for At<R> {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.0
    }
}

impl<R: AtLeast + Send> FromRequestParts<App> for At<R> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let caller = Caller::<R>::from_request_parts(parts, app).await.map_err(|failed| Refused::from(failed.0))?;
        let named = segment(parts, app, "tenant").await;
        let (id, _) = tenant(app, &named).await?;
        if id != caller.tenant_id {
            return Err(Error::new(Code::TenantNotFound, "There is no such tenant.").into());
        }
        check_version(&parts.headers)?;
        Ok(Self(caller))
    }
}

/// Who says which version it speaks must speak ours.
fn check_version(headers: &HeaderMap) -> Result<(), A2AError> {
    let named = headers.get(SVC_PARAM_VERSION).map(|value| value.to_str().unwrap_or("?").trim());
    match named {
        None | Some("") => Ok(()),
        Some(version) if version.split('.').next() == Some("1") => Ok(()),
        Some(version) => Err(A2AError::version_not_supported(&version.chars().take(20).collect::<String>())),
    }
}

pub(super) async fn segment(parts: &mut Parts, app: &App, name: &str) -> String {
    let params = RawPathParams::from_request_parts(parts, app).await.ok();
    let found = params.as_ref().and_then(|params| params.iter().find(|(known, _)| *known == name));
    found.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// The id of the task that the path names, without the verb behind it.
pub(super) struct TaskId(pub String);

impl FromRequestParts<App> for TaskId {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let named = segment(parts, app, "id").await;
        let id = named.strip_suffix(":cancel").or_else(|| named.strip_suffix(":subscribe")).unwrap_or(&named);
        Ok(Self(id.to_owned()))
    }
}

/// A message with how it is to be answered.
pub(super) struct Said(pub SendMessageRequest);

impl FromRequest<App> for Said {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let Json(body) =
            Json::<serde_json::Value>::from_request(request, app).await.map_err(|failed| Refused::from(failed.0))?;
        let said: SendMessageRequest =
            serde_json::from_value(body).map_err(|error| A2AError::invalid_params(error.to_string()))?;
        // Clients send what is empty as an empty text too.
        Ok(Self(said))
    }
}

/// Where we are reached: as it is configured, else as the caller reached us.
pub(super) struct Base(pub String);

impl FromRequestParts<App> for Base {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        if let Some(url) = &app.settings.public_url {
            return Ok(Self(url.to_string()));
        }
        let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let host = if host.chars().all(plain) && !host.is_empty() { host } else { "localhost" };
        let here = ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .any(|local| host == *local || host.starts_with(&format!("{local}:")));
        Ok(Self(format!("{}://{host}", if here { "http" } else { "https" })))
    }
}
