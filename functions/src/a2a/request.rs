//! The extractors of A2A: a caller of its own tenant's agent, the id of a task, a body, and the base URL.

use std::ops::Deref;

use a2a::{A2AError, SVC_PARAM_VERSION, SendMessageRequest};
use axum::{
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, header, request::Parts},
};
use shared::{
    a2a::{proto_json::normalize, service::find_active_tenant},
    app::App,
    identity::auth::Caller as AuthenticatedCaller,
    kernel::error::{Code, Error},
};

use super::refusal::A2aError;
use crate::http::request::{Caller, Json, MinimumRole, identify_caller};

/// A caller whose tenant the path names; another's is answered as an unknown one.
pub(super) struct At<R>(Caller<R>);

impl<R> Deref for At<R> {
    type Target = AuthenticatedCaller;

    fn deref(&self) -> &AuthenticatedCaller {
        &self.0
    }
}

impl<R: MinimumRole + Send> FromRequestParts<App> for At<R> {
    type Rejection = A2aError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, A2aError> {
        let caller = Caller::<R>::from_request_parts(parts, app).await.map_err(|failed| A2aError::from(failed.0))?;
        check_tenant(parts, app, &caller).await?;
        check_version(&parts.headers)?;
        Ok(Self(caller))
    }
}

/// As [`At`], of the JSON-RPC binding, whose body says which rights and which version the call needs.
pub(super) struct RpcCaller(AuthenticatedCaller);

impl Deref for RpcCaller {
    type Target = AuthenticatedCaller;

    fn deref(&self) -> &AuthenticatedCaller {
        &self.0
    }
}

impl FromRequestParts<App> for RpcCaller {
    type Rejection = A2aError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, A2aError> {
        let caller = identify_caller(parts, app).await?.into_caller()?;
        check_tenant(parts, app, &caller).await?;
        Ok(Self(caller))
    }
}

/// Refuses a caller whose tenant the path does not name.
async fn check_tenant(parts: &mut Parts, app: &App, caller: &AuthenticatedCaller) -> Result<(), Error> {
    let named = segment(parts, app, "tenant").await;
    let (id, _) = find_active_tenant(app, &named).await?;
    if id == caller.tenant_id { Ok(()) } else { Err(Error::new(Code::TenantNotFound, "There is no such tenant.")) }
}

/// Who says which version it speaks must speak ours.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), A2AError> {
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
    type Rejection = A2aError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, A2aError> {
        let named = segment(parts, app, "id").await;
        let id = named.strip_suffix(":cancel").or_else(|| named.strip_suffix(":subscribe")).unwrap_or(&named);
        Ok(Self(id.to_owned()))
    }
}

/// A message with how it is to be answered.
pub(super) struct SendRequest(pub SendMessageRequest);

impl FromRequest<App> for SendRequest {
    type Rejection = A2aError;

    async fn from_request(request: Request, app: &App) -> Result<Self, A2aError> {
        let Json(body) =
            Json::<serde_json::Value>::from_request(request, app).await.map_err(|failed| A2aError::from(failed.0))?;
        let said = serde_json::from_value(normalize(body)?);
        Ok(Self(said.map_err(|error| A2AError::invalid_params(error.to_string()))?))
    }
}

/// Where we are reached: as it is configured, else as the caller reached us.
pub(super) struct Base(pub String);

impl FromRequestParts<App> for Base {
    type Rejection = A2aError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, A2aError> {
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
