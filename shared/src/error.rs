//! The one error type of the domain: a code, a message for the caller, and a cause that only the log sees.
//!
//! Nothing here knows HTTP; `functions/src/problem.rs` turns a [`Code`] into a status as the last step.

use std::{error::Error as StdError, fmt, panic::Location};

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What went wrong, as a closed list. Callers program against these.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    AgentNotFound,
    AgentTokenNotFound,
    AgentUnavailable,
    AliasNotFound,
    AlreadyExists,
    ApiKeyNotFound,
    ArtifactNotFound,
    BodyMalformed,
    BodyTooSlow,
    CheckpointNotFound,
    DatasetNotFound,
    DependencyUnavailable,
    ExperimentNotFound,
    Forbidden,
    HeadersTooLarge,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InternalError,
    InvalidTransition,
    JobNotFound,
    LastAdmin,
    LeaseLost,
    MethodNotAllowed,
    ModelNotFound,
    ModelVersionArchived,
    ModelVersionInUse,
    ModelVersionNotFound,
    NoEarlierVersion,
    NoConsent,
    PayloadTooLarge,
    QuotaExceeded,
    RateLimited,
    RequestTimedOut,
    ResultDiffers,
    RouteNotFound,
    SessionNotFound,
    TaskNotFound,
    TenantActive,
    TenantInactive,
    TenantInvalid,
    TenantMismatch,
    TenantNotFound,
    TenantRequired,
    TokenQuotaExceeded,
    Unauthenticated,
    UnsupportedMediaType,
    UriTooLong,
    UserNotFound,
    ValidationFailed,
    VersionMismatch,
}

impl Code {
    /// Whether the same call may succeed later without a change to it.
    pub const fn retryable(self) -> bool {
        matches!(
            self,
            Self::AgentUnavailable
                | Self::BodyTooSlow
                | Self::DependencyUnavailable
                | Self::IdempotencyInProgress
                | Self::InternalError
                | Self::QuotaExceeded
                | Self::RateLimited
                | Self::RequestTimedOut
                | Self::TokenQuotaExceeded
        )
    }

    /// What the caller can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::AgentNotFound => "Name an agent that exists, or leave agent_config.agent out.",
            Self::AgentUnavailable => "Try again shortly; see the agent's status.",
            Self::AlreadyExists => "Use another name, or change the one that exists.",
            Self::AgentTokenNotFound
            | Self::ApiKeyNotFound
            | Self::ArtifactNotFound
            | Self::CheckpointNotFound
            | Self::JobNotFound
            | Self::ExperimentNotFound
            | Self::DatasetNotFound
            | Self::SessionNotFound
            | Self::TaskNotFound
            | Self::TenantNotFound
            | Self::UserNotFound => "Check the id, and that your credential belongs to its tenant.",
            Self::BodyMalformed => "Send one JSON document in UTF-8, as the OpenAPI document describes it.",
            Self::BodyTooSlow => "Send the body without pauses.",
            Self::DependencyUnavailable => "Try again shortly; GET /ready says what is down.",
            Self::Forbidden => "Ask a lead or an admin of your tenant, or use a credential with that role.",
            Self::HeadersTooLarge => "Send fewer or shorter headers: 32 KiB in all.",
            Self::IdempotencyInProgress => "Wait for the answer to the first request, or send this one again shortly.",
            Self::IdempotencyKeyReused => "Use a new Idempotency-Key for a new request.",
            Self::InternalError => "Try again; if it stays, report the request_id.",
            Self::InvalidTransition => "Read `current`: it names the state and the states that it may go to.",
            Self::LastAdmin => "Make somebody else an admin first.",
            Self::LeaseLost => {
                "Drop the task: it is called off, given up or with another. Claim anew for further work."
            }
            Self::ResultDiffers => "Report a task's result once; sent again it must be the same.",
            Self::AliasNotFound | Self::ModelNotFound | Self::ModelVersionNotFound => {
                "GET /api/v1/models lists the models of your tenant with their aliases and versions."
            }
            Self::ModelVersionArchived => {
                "Name another version, or bring this one back first: PATCH it with archived false."
            }
            Self::ModelVersionInUse => "Move the aliases that `current` names to another version first.",
            Self::NoEarlierVersion => "Point the alias at a version by PUT, or DELETE it.",
            Self::MethodNotAllowed => "Use a method that the Allow header lists.",
            Self::NoConsent => {
                "Have a lead or an admin of the tenant agree: PATCH /api/v1/tenant with training_consent true."
            }
            Self::PayloadTooLarge => "Send at most 1 MiB; 10 MiB as the result of a task.",
            Self::QuotaExceeded => "Wait until one that counts ends, or have the limit raised.",
            Self::RateLimited => "Wait as long as Retry-After says; RateLimit tells how many calls are left.",
            Self::RequestTimedOut => "Try again, with an Idempotency-Key so that it is done once.",
            Self::RouteNotFound => "See /docs for the routes there are.",
            Self::TenantActive => "Deactivate the tenant first, and wait until nothing of it runs.",
            Self::TenantInactive => "Have an admin reactivate the tenant.",
            Self::TenantInvalid => "X-Tenant-ID takes the tenant's uuid or its slug.",
            Self::TenantMismatch => "Name your own tenant in X-Tenant-ID, or leave it out where it is not required.",
            Self::TenantRequired => "Send X-Tenant-ID with your tenant's uuid or slug.",
            Self::TokenQuotaExceeded => "Wait for the month's end, or have the tenant's token limit raised.",
            Self::Unauthenticated => {
                "Send `Authorization: Bearer <API key or token>` with one that is neither revoked nor expired."
            }
            Self::UnsupportedMediaType => "Send the body with Content-Type: application/json.",
            Self::UriTooLong => "Send at most 8 KiB as path and query.",
            Self::ValidationFailed => "Correct the fields that `errors` names.",
            Self::VersionMismatch => "Read the object again and repeat the change on its current version.",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_value(self) {
            Ok(Value::String(text)) => f.write_str(&text),
            _ => write!(f, "{self:?}"),
        }
    }
}

/// One field of a request that was refused.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct FieldError {
    /// The path of the field, such as `workspace.repository` or `tags[3]`.
    pub field: String,
    pub message: String,
}

/// Anything that a use case can fail with.
pub struct Error(Box<Details>);

struct Details {
    code: Code,
    detail: String,
    fields: Vec<FieldError>,
    current: Option<Value>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    location: &'static Location<'static>,
}

/// The result of everything in the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a sentence for the caller; it must never hold a cause or a secret.
    #[track_caller]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Details {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            current: None,
            source: None,
            location: Location::caller(),
        }))
    }

    /// Input that breaks a rule: every field that does.
    #[track_caller]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let names: Vec<_> = fields.iter().map(|f| f.field.as_str()).collect();
        let mut error = Self::new(Code::ValidationFailed, format!("Refused: {}.", names.join(", ")));
        error.0.fields = fields;
        error
    }

    /// Input of which one field breaks a rule.
    #[track_caller]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// A change to another version of the object than the one there is.
    #[track_caller]
    pub fn stale(what: &str, version: i64) -> Self {
        Self::new(Code::VersionMismatch, format!("The {what} is at version {version} by now."))
            .with_current(serde_json::json!({"version": version}))
    }

    /// A fault of ours. The caller learns nothing but the request id; the log gets the cause.
    #[track_caller]
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::InternalError, "Something went wrong on our side.").caused_by(source)
    }

    /// A service that we need does not answer.
    #[track_caller]
    pub fn unavailable(what: &str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::DependencyUnavailable, format!("{what} does not answer.")).caused_by(source)
    }

    /// Adds the cause, for the log alone.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the state of the object that stood against the call.
    #[must_use]
    pub fn with_current(mut self, current: Value) -> Self {
        self.0.current = Some(current);
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence for the caller.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    pub fn current(&self) -> Option<&Value> {
        self.0.current.as_ref()
    }

    /// Where in the source it was made, for the log.
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

/// Collects every refused field of one input, so that a caller learns all at once.
#[derive(Debug, Default)]
pub struct Refusals(Vec<FieldError>);

impl Refusals {
    /// Takes the value, or notes why it was refused.
    pub fn take<T>(&mut self, field: &str, parsed: Result<T, String>) -> Option<T> {
        parsed.map_err(|message| self.add(field, message)).ok()
    }

    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError { field: field.into(), message: message.into() });
    }

    /// Nothing was refused, or the error that names all that was.
    #[track_caller]
    pub fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::invalid(self.0)) }
    }
}
