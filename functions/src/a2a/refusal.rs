//! Errors in the form of A2A's HTTP+JSON binding: google.rpc.Status as JSON, with the reason in its details.

use std::collections::HashMap;

use a2a::{A2AError, PROTOCOL_DOMAIN, TypedDetail, error_code, error_reason, errordetails::FieldViolation};
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use serde_json::json;
use shared::{
    a2a::Refusal,
    error::{Code, Error},
};

use crate::problem::Failed;

/// What an operation of A2A answers.
pub(super) type Answer<T> = Result<T, Refused>;

/// A refusal on its way to the one place that renders it: [`render`].
pub(super) struct Refused(Refusal);

/// The protocol's own word for an error, carried beside ours.
#[derive(Clone)]
struct Told(std::sync::Arc<A2AError>);

impl<T: Into<Refusal>> From<T> for Refused {
    fn from(refusal: T) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> axum::response::Response {
        match self.0 {
            Refusal::Failed(error) => Failed(error).into_response(),
            Refusal::Told(told) => {
                let mut response = Failed(Error::new(ours(told.code), told.message.clone())).into_response();
                response.extensions_mut().insert(Told(std::sync::Arc::new(told)));
                response
            }
        }
    }
}

/// Under which of our codes a refusal of the protocol is logged.
fn ours(code: i32) -> Code {
    match code {
        error_code::TASK_NOT_FOUND => Code::SessionNotFound,
        error_code::TASK_NOT_CANCELABLE | error_code::UNSUPPORTED_OPERATION => Code::InvalidTransition,
        error_code::CONTENT_TYPE_NOT_SUPPORTED => Code::UnsupportedMediaType,
        _ => Code::ValidationFailed,
    }
}

/// The protocol's word for one of our errors, where it has one.
fn theirs(code: Code) -> Option<i32> {
    match code {
        Code::SessionNotFound => Some(error_code::TASK_NOT_FOUND),
        Code::InvalidTransition => Some(error_code::UNSUPPORTED_OPERATION),
        Code::ValidationFailed => Some(error_code::INVALID_PARAMS),
        Code::BodyMalformed => Some(error_code::PARSE_ERROR),
        Code::UnsupportedMediaType => Some(error_code::CONTENT_TYPE_NOT_SUPPORTED),
        Code::InternalError => Some(error_code::INTERNAL_ERROR),
        _ => None,
    }
}

/// Writes an error as the protocol has it, with the id of the request.
pub(crate) fn render(
    mut response: Response<Body>,
    error: &Error,
    status: StatusCode,
    request_id: &str,
) -> Response<Body> {
    let told = response.extensions_mut().remove::<Told>();
    let code = told.as_ref().map(|told| told.0.code).or_else(|| theirs(error.code()));
    let status =
        code.map_or(status, |code| StatusCode::from_u16(A2AError::new(code, "").http_status_code()).unwrap_or(status));
    let (reason, domain) = match code {
        Some(code) => (error_reason(code).to_owned(), PROTOCOL_DOMAIN),
        None => (error.code().to_string(), "ioc"),
    };
    let known = HashMap::from([
        ("requestId".to_owned(), request_id.to_owned()),
        ("remedy".to_owned(), error.code().remedy().to_owned()),
    ]);
    let mut details = vec![TypedDetail::error_info(reason, domain, Some(known))];
    details.extend(told.iter().flat_map(|told| told.0.details.iter().flatten().cloned()));
    if !error.fields().is_empty() {
        let violation = |one: &shared::error::FieldError| FieldViolation {
            field: one.field.clone(),
            description: one.message.clone(),
        };
        details.push(TypedDetail::bad_request(error.fields().iter().map(violation).collect()));
    }
    let body = json!({"error": {
        "code": status.as_u16(),
        "status": word(status),
        "message": error.detail(),
        "details": details,
    }});
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(header::CONTENT_LENGTH);
    if error.code() == Code::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ioc\""));
    }
    *response.status_mut() = status;
    *response.body_mut() = Body::from(body.to_string());
    response
}

/// The status of google.rpc that goes with a status of HTTP.
fn word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 413..=415 | 422 | 431 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 | 405 => "NOT_FOUND",
        408 => "DEADLINE_EXCEEDED",
        409 | 412 => "FAILED_PRECONDITION",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

/// The answers that an operation of A2A may give besides its own, for the document.
pub(super) struct Refusals;

impl utoipa::IntoResponses for Refusals {
    fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
        let told = [
            ("400", "The request is not of the protocol, or the task's state does not allow it."),
            ("401", "No valid credential."),
            ("403", "The credential does not allow it."),
            ("404", "There is no such task or tenant, or it is another's."),
            ("405", "There is no such verb."),
            ("408", "The body came too slowly."),
            ("409", "The same is being worked on."),
            ("413", "The body is larger than 1 MiB."),
            ("414", "The path with its query is longer than 8 KiB."),
            ("422", "A header cannot be taken."),
            ("429", "A limit of the tenant is met, or too many calls came."),
            ("431", "The headers are larger than 32 KiB."),
            ("500", "A fault of ours."),
            ("503", "Something that we need does not answer."),
        ];
        let described = told.into_iter().map(|(status, description)| {
            let content = utoipa::openapi::ContentBuilder::new()
                .schema(Some(utoipa::openapi::Ref::from_schema_name("A2aError")))
                .build();
            let response = utoipa::openapi::ResponseBuilder::new()
                .description(description)
                .content("application/json", content)
                .build();
            (status.to_owned(), response.into())
        });
        described.collect()
    }
}

/// An error of A2A's HTTP+JSON binding.
#[derive(utoipa::ToSchema)]
#[schema(as = A2aError)]
#[expect(dead_code, reason = "only its documentation is used")]
pub(crate) struct A2aError {
    /// `code` (the status), `status` (a word of google.rpc), `message`, and `details` with the `reason`.
    #[schema(value_type = Object)]
    error: serde_json::Value,
}
