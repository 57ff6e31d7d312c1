//! The error type of the domain: a code, a message for the caller, and a cause that only the log receives.
//!
//! It does not know HTTP: `functions/src/http/problem.rs` maps a [`Code`] to a status as the last step.

use std::{error::Error as StdError, fmt, panic::Location};

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

pub use super::error_code::Code;

/// A rejected field of a request.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct FieldError {
    /// The path of the field, such as `workspace.repository` or `tags[3]`.
    pub field: String,
    /// Why the field was rejected.
    pub message: String,
}

/// An error of a use case.
pub struct Error(Box<Details>);

struct Details {
    code: Code,
    detail: String,
    fields: Vec<FieldError>,
    current: Option<Value>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    repeatable: bool,
    location: &'static Location<'static>,
}

/// The result of domain functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a message for the caller. The message must not contain a cause or a secret.
    #[track_caller]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Details {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            current: None,
            source: None,
            repeatable: false,
            location: Location::caller(),
        }))
    }

    /// Invalid input, with every field that breaks a rule.
    #[track_caller]
    pub fn invalid_fields(fields: Vec<FieldError>) -> Self {
        let names: Vec<_> = fields.iter().map(|f| f.field.as_str()).collect();
        let mut error = Self::new(Code::ValidationFailed, format!("Refused: {}.", names.join(", ")));
        error.0.fields = fields;
        error
    }

    /// Invalid input with one field that breaks a rule.
    #[track_caller]
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// A change based on a version of the object that is not the current one.
    #[track_caller]
    pub fn stale_version(what: &str, version: i64) -> Self {
        Self::new(Code::VersionMismatch, format!("The {what} is at version {version} by now."))
            .with_current(serde_json::json!({"version": version}))
    }

    /// The error for a session's id that is unknown or another tenant's. The error does not reveal which.
    #[track_caller]
    pub fn session_not_found(id: impl fmt::Display) -> Self {
        Self::new(Code::SessionNotFound, format!("There is no session {id}."))
    }

    /// An internal error. The caller receives only the request id; the log receives the cause.
    #[track_caller]
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::InternalError, "Something went wrong on our side.").caused_by(source)
    }

    /// A required service does not answer.
    #[track_caller]
    pub fn unavailable(what: &str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::DependencyUnavailable, format!("{what} does not answer.")).caused_by(source)
    }

    /// Adds the cause, for the log only.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the current state of the object that conflicts with the call.
    #[must_use]
    pub fn with_current(mut self, current: Value) -> Self {
        self.0.current = Some(current);
        self
    }

    /// Marks an error of work that assumed something that is no longer true: nothing was done, and the same work is
    /// to be carried out again at once.
    #[must_use]
    pub(crate) fn repeatable(mut self) -> Self {
        self.0.repeatable = true;
        self
    }

    /// Whether nothing was done, and the same work is to be carried out again at once.
    pub fn is_repeatable(&self) -> bool {
        self.0.repeatable
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The message for the caller.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    pub fn current_version(&self) -> Option<&Value> {
        self.0.current.as_ref()
    }

    /// The source location that created it, for the log.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// The chain of causes as one line, for the log.
    pub fn causes(&self) -> String {
        let mut text = String::new();
        let mut cause = self.source();
        while let Some(error) = cause {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)?;
        for field in &self.0.fields {
            write!(f, " {}: {}", field.field, field.message)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} (at {}; {})", self.0.location, self.causes())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<redis::RedisError> for Error {
    #[track_caller]
    fn from(source: redis::RedisError) -> Self {
        Self::unavailable("Redis", source)
    }
}

impl From<serde_json::Error> for Error {
    #[track_caller]
    fn from(source: serde_json::Error) -> Self {
        Self::internal(source)
    }
}

/// Collects every invalid field of an input, so that a caller learns them all at once.
#[derive(Debug, Default)]
pub struct ValidationErrors(Vec<FieldError>);

impl ValidationErrors {
    /// Returns the value, or records why it was refused.
    pub fn check<T>(&mut self, field: &str, parsed: Result<T, String>) -> Option<T> {
        parsed.map_err(|message| self.add(field, message)).ok()
    }

    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError { field: field.into(), message: message.into() });
    }

    /// Succeeds if no field was refused, else returns the error that names them all.
    #[track_caller]
    pub fn into_result(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::invalid_fields(self.0)) }
    }
}
