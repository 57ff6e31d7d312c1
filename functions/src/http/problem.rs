//! Errors become HTTP here, as the last step: `application/problem+json` (RFC 9457). They are logged here, once; causes
//! appear in the log only.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;
use serde_json::Value;
use shared::kernel::error::{Code, Error, FieldError};
use utoipa::ToSchema;

use crate::http::protocol::Protocol;

/// An error (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// URI of the kind of problem: `urn:ioc:problem:` and the code in lower case.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reason phrase of the status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, for people.
    pub detail: String,
    /// What went wrong, for programs.
    pub code: Code,
    /// What the caller can do about it.
    pub remedy: String,
    /// The id of the request, as in `X-Request-ID` and in the logs.
    pub request_id: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The fields that were rejected. Only for validation errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<FieldError>, required = false)]
    pub errors: Option<Vec<FieldError>>,
    /// The current state of the object that prevented the request. Only for conflicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = std::collections::BTreeMap<String, Value>, required = false)]
    pub current: Option<Value>,
}

/// An error on its way to the one place that renders it: [`render`].
pub(crate) struct ApiError(pub Error);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// The result of a handler.
pub(crate) type HandlerResult<T> = Result<T, ApiError>;

#[derive(Clone)]
struct AttachedError(std::sync::Arc<Error>);

impl IntoResponse for ApiError {
    fn into_response(self) -> axum::response::Response {
        let mut response = status(self.0.code()).into_response();
        response.extensions_mut().insert(AttachedError(std::sync::Arc::new(self.0)));
        response
    }
}

/// The error that a response stands for, before it is rendered.
pub(crate) fn attached_error(response: &Response<Body>) -> Option<&Error> {
    response.extensions().get::<AttachedError>().map(|attached| attached.0.as_ref())
}

/// Writes the body of a response that is an error, ours or one of the router, in the form of its protocol.
pub(crate) fn render(
    mut response: Response<Body>,
    request_id: &str,
    route: &str,
    protocol: Option<&Protocol>,
) -> Response<Body> {
    let attached = response.extensions_mut().remove::<AttachedError>();
    let own = if attached.is_none() { error_of_router(&response) } else { None };
    let Some(error) = attached.as_ref().map(|attached| attached.0.as_ref()).or(own.as_ref()) else { return response };
    log(error, route);
    match protocol {
        Some(protocol) => (protocol.render_error)(response, error, request_id),
        None => render_problem(response, error, request_id),
    }
}

/// The error that the router answered without a body.
fn error_of_router(response: &Response<Body>) -> Option<Error> {
    if response.headers().contains_key(header::CONTENT_TYPE) {
        return None;
    }
    match response.status() {
        StatusCode::NOT_FOUND => Some(Error::new(Code::RouteNotFound, "The route does not exist.")),
        StatusCode::METHOD_NOT_ALLOWED => {
            Some(Error::new(Code::MethodNotAllowed, "The route does not support this method."))
        }
        _ => None,
    }
}

fn render_problem(mut response: Response<Body>, error: &Error, request_id: &str) -> Response<Body> {
    let body = serde_json::to_vec(&problem(error, request_id)).unwrap_or_default();
    set_error_headers(&mut response, error, "application/problem+json");
    *response.status_mut() = status(error.code());
    *response.body_mut() = Body::from(body);
    response
}

/// Sets the headers that errors of all forms have.
pub(crate) fn set_error_headers(response: &mut Response<Body>, error: &Error, media_type: &'static str) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.remove(header::CONTENT_LENGTH);
    if error.code() == Code::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ioc\""));
    }
}

fn problem(error: &Error, request_id: &str) -> Problem {
    let code = error.code();
    let status = status(code);
    Problem {
        kind: format!("urn:ioc:problem:{}", code.to_string().to_lowercase().replace('_', "-")),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        status: status.as_u16(),
        detail: error.detail().to_owned(),
        code,
        remedy: code.remedy().to_owned(),
        request_id: request_id.to_owned(),
        retryable: code.retryable(),
        errors: (!error.fields().is_empty()).then(|| error.fields().to_vec()),
        current: error.current_version().cloned(),
    }
}

fn log(error: &Error, route: &str) {
    let (code, at) = (error.code(), error.location());
    if status(code).is_server_error() {
        tracing::error!(%code, %at, route, causes = error.causes(), "{}", error.detail());
    } else {
        tracing::debug!(%code, route, causes = error.causes(), "{}", error.detail());
    }
}

/// Declares [`status`] as a table. The match that it expands to has no wildcard, so a code without a status does not
/// compile.
macro_rules! status_table {
    ($($status:ident: $($code:ident)+;)+) => {
        /// The status of a code, chosen by what the caller, support and the operator have to do.
        pub(crate) const fn status(code: Code) -> StatusCode {
            match code {
                $($(Code::$code)|+ => StatusCode::$status,)+
            }
        }
    };
}

status_table! {
    BAD_REQUEST: BodyMalformed TenantInvalid;
    UNAUTHORIZED: AgentDeregistered RunnerRemoved Unauthenticated;
    FORBIDDEN: AgentNotOwned AgentTokenRequired EnrolmentTokenRequired Forbidden RunnerCredentialRequired
        CreatorForbidden SecretsForbidden SpawnForbidden TenantInactive TenantMismatch;
    NOT_FOUND: AgentNotFound AgentTokenNotFound AliasNotFound ApiKeyNotFound ArtifactNotFound CheckpointNotFound
        EnvironmentNotFound JobNotFound EnrolmentNotFound ExperimentNotFound ModelNotFound ModelVersionNotFound
        DatasetNotFound RouteNotFound RunnerNotFound SecretNotFound SessionNotFound TaskNotFound TenantNotFound
        UserNotFound;
    METHOD_NOT_ALLOWED: MethodNotAllowed;
    CONFLICT: AgentSuspended AlreadyExists IdempotencyInProgress InvalidTransition LastAdmin LeaseLost ModelVersionArchived
        ModelVersionInUse NoEarlierVersion NoConsent ResultDiffers SecretsClosed SecretShownOnce TenantActive;
    PRECONDITION_FAILED: VersionMismatch;
    REQUEST_TIMEOUT: BodyTooSlow;
    PAYLOAD_TOO_LARGE: PayloadTooLarge;
    URI_TOO_LONG: UriTooLong;
    UNSUPPORTED_MEDIA_TYPE: UnsupportedMediaType;
    UNPROCESSABLE_ENTITY: IdempotencyKeyReused ValidationFailed;
    REQUEST_HEADER_FIELDS_TOO_LARGE: HeadersTooLarge;
    TOO_MANY_REQUESTS: QuotaExceeded RateLimited TenantBusy TokenQuotaExceeded TooManyStreams;
    INTERNAL_SERVER_ERROR: InternalError;
    SERVICE_UNAVAILABLE: AgentUnavailable DependencyUnavailable RequestTimedOut;
}
