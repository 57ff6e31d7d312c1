//! Errors become HTTP here, as the last step: `application/problem+json` (RFC 9457), logged once, causes kept to the log.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;
use serde_json::Value;
use shared::error::{Code, Error, FieldError};
use utoipa::{IntoResponses, ToSchema};

/// What every error looks like on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A URI that names the kind of problem: `urn:ioc:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// What went wrong, for people.
    pub detail: String,
    pub code: Code,
    /// What can be done about it.
    pub remedy: String,
    pub request_id: String,
    /// Whether the same call may succeed later without a change to it.
    pub retryable: bool,
    /// The fields that were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldError>>,
    /// The state of the object that stood against the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub current: Option<Value>,
}

/// The answers that any operation may give besides its own.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its documentation is used")]
pub(crate) enum Problems {
    /// The request cannot be read, or does not name its tenant.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// No valid credential.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// The credential does not allow it, or its tenant is deactivated.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is no such thing, or it belongs to another tenant.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// Its state does not allow it.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// It has been changed since.
    #[response(status = 412, content_type = "application/problem+json")]
    PreconditionFailed(Problem),
    /// The body came too slowly.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(Problem),
    /// The body is larger than 1 MiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The path with its query is longer than 8 KiB.
    #[response(status = 414, content_type = "application/problem+json")]
    UriTooLong(Problem),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(Problem),
    /// A field breaks a rule.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
    /// A limit of the tenant is met, or too many calls came.
    #[response(status = 429, content_type = "application/problem+json")]
    Exhausted(Problem),
    /// The headers are larger than 32 KiB.
    #[response(status = 431, content_type = "application/problem+json")]
    HeadersTooLarge(Problem),
    /// A fault of ours.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// Something that we need does not answer.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// An error on its way to the one place that renders it: [`render`].
pub(crate) struct Failed(pub Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// What a handler answers.
pub(crate) type Answer<T> = Result<T, Failed>;

#[derive(Clone)]
struct Carried(std::sync::Arc<Error>);

impl IntoResponse for Failed {
    fn into_response(self) -> axum::response::Response {
        let mut response = status(self.0.code()).into_response();
        response.extensions_mut().insert(Carried(std::sync::Arc::new(self.0)));
        response
    }
}

/// Gives a response its problem body, if it is an error: ours, or one that the router made itself.
pub(crate) fn render(mut response: Response<Body>, request_id: &str, route: &str, speaks_a2a: bool) -> Response<Body> {
    let carried = response.extensions_mut().remove::<Carried>();
    let made_by_router = || match response.status() {
        StatusCode::NOT_FOUND => Some(Error::new(Code::RouteNotFound, "There is no such route.")),
        StatusCode::METHOD_NOT_ALLOWED => {
            Some(Error::new(Code::MethodNotAllowed, "The route does not take this method."))
        }
        _ => None,
    };
    let own;
    let error = match &carried {
        Some(carried) => carried.0.as_ref(),
        None if response.headers().contains_key(header::CONTENT_TYPE) => return response,
        None => match made_by_router() {
            Some(error) => {
                own = error;
                &own
            }
            None => return response,
        },
    };
    log(error, route);
    if speaks_a2a {
        return crate::a2a::render(response, error, status(error.code()), request_id);
    }
    let body = serde_json::to_vec(&problem(error, request_id)).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.remove(header::CONTENT_LENGTH);
    if error.code() == Code::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ioc\""));
    }
    *response.status_mut() = status(error.code());
    *response.body_mut() = Body::from(body);
    response
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
        current: error.current().cloned(),
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

/// The status of a code, chosen by what the caller, support and the operator are to do.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::BodyMalformed | Code::TenantInvalid | Code::TenantRequired => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::TenantInactive | Code::TenantMismatch => StatusCode::FORBIDDEN,
        Code::AgentNotFound
        | Code::AgentTokenNotFound
        | Code::AliasNotFound
        | Code::ApiKeyNotFound
        | Code::ArtifactNotFound
        | Code::CheckpointNotFound
        | Code::JobNotFound
        | Code::ExperimentNotFound
        | Code::ModelNotFound
        | Code::ModelVersionNotFound
        | Code::DatasetNotFound
        | Code::RouteNotFound
        | Code::SessionNotFound
        | Code::TaskNotFound
        | Code::TenantNotFound
        | Code::UserNotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::AlreadyExists
        | Code::IdempotencyInProgress
        | Code::InvalidTransition
        | Code::LastAdmin
        | Code::LeaseLost
        | Code::ModelVersionArchived
        | Code::ModelVersionInUse
        | Code::NoEarlierVersion
        | Code::NoConsent
        | Code::ResultDiffers
        | Code::TenantActive => StatusCode::CONFLICT,
        Code::VersionMismatch => StatusCode::PRECONDITION_FAILED,
        Code::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UriTooLong => StatusCode::URI_TOO_LONG,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::IdempotencyKeyReused | Code::ValidationFailed => StatusCode::UNPROCESSABLE_ENTITY,
        Code::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Code::QuotaExceeded | Code::RateLimited | Code::TokenQuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
        Code::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::AgentUnavailable | Code::DependencyUnavailable | Code::RequestTimedOut => StatusCode::SERVICE_UNAVAILABLE,
    }
}
