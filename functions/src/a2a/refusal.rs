//! Errors in the form of A2A's HTTP+JSON binding: google.rpc.Status as JSON, with the reason in its details.

use std::collections::{BTreeMap, HashMap};

use a2a::{A2AError, JsonRpcId, PROTOCOL_DOMAIN, TypedDetail, error_code, error_reason, errordetails::FieldViolation};
use axum::{
    body::Body,
    http::{Response, StatusCode},
    response::IntoResponse,
};
use serde_json::json;
use shared::{
    a2a::A2aRefusal,
    kernel::error::{Code, Error},
};

use crate::http::problem::{ApiError, set_error_headers, status};

/// The result of an operation of A2A.
pub(super) type HandlerResult<T> = Result<T, A2aError>;

/// An error on its way to the one place that renders it: [`render`].
pub(super) struct A2aError(A2aRefusal);

/// The protocol's own error, attached beside ours.
#[derive(Clone)]
struct ProtocolError(std::sync::Arc<A2AError>);

impl<T: Into<A2aRefusal>> From<T> for A2aError {
    fn from(refusal: T) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for A2aError {
    fn into_response(self) -> axum::response::Response {
        match self.0 {
            A2aRefusal::Failed(error) => ApiError(error).into_response(),
            A2aRefusal::Protocol(error) => {
                let mut response = ApiError(Error::new(own_code(error.code), error.message.clone())).into_response();
                response.extensions_mut().insert(ProtocolError(std::sync::Arc::new(error)));
                response
            }
        }
    }
}

/// The code under which an error of the protocol is logged.
fn own_code(code: i32) -> Code {
    match code {
        error_code::TASK_NOT_FOUND => Code::SessionNotFound,
        error_code::TASK_NOT_CANCELABLE | error_code::UNSUPPORTED_OPERATION => Code::InvalidTransition,
        error_code::CONTENT_TYPE_NOT_SUPPORTED => Code::UnsupportedMediaType,
        _ => Code::ValidationFailed,
    }
}

/// The protocol's code of one of our errors, where it has one.
fn protocol_code(code: Code) -> Option<i32> {
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

/// The code of JSON-RPC for an error of ours that the protocol does not define.
const SERVER_ERROR: i32 = -32000;

/// What the caller can do about an error of the protocol, where it is not what our code says.
const fn protocol_remedy(code: i32) -> Option<&'static str> {
    Some(match code {
        error_code::CONTENT_TYPE_NOT_SUPPORTED => {
            "Send text, data or text files; put other files into the repository of the workspace."
        }
        error_code::INVALID_PARAMS => "Correct the field that the message names.",
        error_code::INVALID_REQUEST => "Send one call of JSON-RPC 2.0 with an id.",
        error_code::METHOD_NOT_FOUND => "Call a method of A2A 1.0, such as SendMessage.",
        error_code::PUSH_NOTIFICATION_NOT_SUPPORTED => {
            "Leave push notifications out: stream the task, or wait for it with SendMessage or GetTask."
        }
        error_code::TASK_NOT_CANCELABLE => "Read the task: it is over.",
        error_code::UNSUPPORTED_OPERATION => {
            "Read the task and the card: its state and the capabilities say what is possible."
        }
        error_code::VERSION_NOT_SUPPORTED => "Send A2A-Version: 1.0, or leave it out.",
        _ => return None,
    })
}

/// The id of the JSON-RPC call that an error answers.
#[derive(Clone)]
pub(super) struct RpcId(pub JsonRpcId);

/// Writes an error in the form of the protocol, with the id of the request.
pub(crate) fn render(mut response: Response<Body>, error: &Error, request_id: &str) -> Response<Body> {
    let protocol_error = response.extensions_mut().remove::<ProtocolError>();
    let call = response.extensions_mut().remove::<RpcId>();
    let code = protocol_error.as_ref().map(|error| error.0.code).or_else(|| protocol_code(error.code()));
    let status = status(error.code());
    let details = error_details(error, code, protocol_error.as_ref(), request_id);
    let (status, body) = match call {
        None => {
            let named = code.and_then(|code| StatusCode::from_u16(A2AError::new(code, "").http_status_code()).ok());
            let status = named.unwrap_or(status);
            let (code, word) = (status.as_u16(), word(status));
            (status, json!({"error": {"code": code, "status": word, "message": error.detail(), "details": details}}))
        }
        Some(RpcId(id)) => {
            // A client of JSON-RPC reads the body of a 200; who may not call at all learns it from the status.
            let named = matches!(status.as_u16(), 401 | 403 | 429 | 503);
            let code = code.unwrap_or(SERVER_ERROR);
            let error = json!({"code": code, "message": error.detail(), "data": details});
            (if named { status } else { StatusCode::OK }, json!({"jsonrpc": "2.0", "id": id, "error": error}))
        }
    };
    set_error_headers(&mut response, error, "application/json");
    *response.status_mut() = status;
    *response.body_mut() = Body::from(body.to_string());
    response
}

/// The reason with the id of the request and the remedy, and the rejected fields.
fn error_details(
    error: &Error,
    code: Option<i32>,
    protocol_error: Option<&ProtocolError>,
    request_id: &str,
) -> Vec<TypedDetail> {
    let (reason, domain) = match code {
        Some(code) => (error_reason(code).to_owned(), PROTOCOL_DOMAIN),
        None => (error.code().to_string(), "ioc"),
    };
    let remedy = protocol_error.and_then(|error| protocol_remedy(error.0.code)).unwrap_or(error.code().remedy());
    let known =
        HashMap::from([("requestId".to_owned(), request_id.to_owned()), ("remedy".to_owned(), remedy.to_owned())]);
    let mut details = vec![TypedDetail::error_info(reason, domain, Some(known))];
    details.extend(protocol_error.iter().flat_map(|error| error.0.details.iter().flatten().cloned()));
    if !error.fields().is_empty() {
        let violation = |one: &shared::kernel::error::FieldError| FieldViolation {
            field: one.field.clone(),
            description: one.message.clone(),
        };
        details.push(TypedDetail::bad_request(error.fields().iter().map(violation).collect()));
    }
    details
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

/// An error of A2A's HTTP+JSON binding.
#[derive(utoipa::ToSchema)]
#[schema(as = A2aError)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ErrorBody {
    /// The error, in the form of google.rpc.Status.
    error: ErrorStatus,
}

/// An error in the form of google.rpc.Status.
#[derive(utoipa::ToSchema)]
#[schema(as = A2aErrorStatus)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ErrorStatus {
    /// The HTTP status.
    code: u16,
    /// The code of google.rpc, such as `NOT_FOUND`.
    status: String,
    /// What went wrong, for people.
    message: String,
    /// The reason (google.rpc.ErrorInfo) with the id of the request and, for invalid requests, the rejected fields
    /// (google.rpc.BadRequest).
    details: Vec<BTreeMap<String, serde_json::Value>>,
}
