//! Why the gateway itself answers, in the provider's own form of an error.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::protocol::{Endpoint, ErrorForm};

/// A request that did not get a provider's answer.
#[derive(Debug)]
pub(super) enum Refusal {
    TooLarge,
    Unreadable(String),
    NoProvider,
    ModelNotAllowed { model: String },
    KeyRefused,
    Unreachable,
}

impl Refusal {
    pub(super) fn into_answer(self, endpoint: Endpoint) -> Response {
        let (status, openai, anthropic, message) = self.describe();
        let (kind, code) = openai;
        let body = match endpoint.error_form() {
            ErrorForm::Anthropic => json!({"type": "error", "error": {"type": anthropic, "message": message}}),
            ErrorForm::OpenAi => json!({"error": {"message": message, "type": kind, "param": null, "code": code}}),
            ErrorForm::Google => {
                json!({"error": {"code": status.as_u16(), "message": message, "status": google_status(status)}})
            }
        };
        (status, Json(body)).into_response()
    }

    /// The status, OpenAI's type and code, Anthropic's type, and a message for people.
    fn describe(self) -> (StatusCode, (&'static str, &'static str), &'static str, String) {
        let invalid = "invalid_request_error";
        match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                (invalid, "request_too_large"),
                "request_too_large",
                "The request has more than 32 MiB.".to_owned(),
            ),
            Self::Unreadable(reason) => (
                StatusCode::BAD_REQUEST,
                (invalid, "invalid_body"),
                invalid,
                format!("The request cannot be read: {reason}."),
            ),
            Self::NoProvider => (
                StatusCode::NOT_FOUND,
                (invalid, "unknown_url"),
                "not_found_error",
                "No provider of this session speaks this protocol.".to_owned(),
            ),
            Self::ModelNotAllowed { model } => (
                StatusCode::FORBIDDEN,
                (invalid, "model_not_found"),
                "permission_error",
                format!("This session may not use the model {model}."),
            ),
            other => other.describe_failure(),
        }
    }

    fn describe_failure(self) -> (StatusCode, (&'static str, &'static str), &'static str, String) {
        match self {
            Self::KeyRefused => (
                StatusCode::UNAUTHORIZED,
                ("invalid_request_error", "invalid_api_key"),
                "authentication_error",
                "The provider refused the key of the runner.".to_owned(),
            ),
            _ => (
                StatusCode::BAD_GATEWAY,
                ("server_error", "provider_unreachable"),
                "api_error",
                "The runner cannot reach the provider.".to_owned(),
            ),
        }
    }
}

/// Google's name for the kind of an error.
fn google_status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::FORBIDDEN => "PERMISSION_DENIED",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::BAD_GATEWAY => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

/// The answer to everything that does not pass through.
pub(super) fn answer_unknown_path() -> Response {
    let body = json!({"error": {"message": "The gateway has no such endpoint.", "type": "invalid_request_error",
        "param": null, "code": "unknown_url"}});
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}
