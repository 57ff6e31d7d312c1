//! The codes of errors: one row for each, with what the caller can do.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Declares the codes: `Name: "remedy"`, or `Name retryable: "remedy"` if the same call may succeed later.
macro_rules! error_codes {
    ($($name:ident $($retryable:ident)?: $remedy:literal,)+) => {
        /// The code of an error. The list is closed; programs can rely on it.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, ToSchema)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum Code { $($name),+ }

        impl Code {
            /// Whether the same call may succeed later.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$name => !stringify!($($retryable)?).is_empty()),+ }
            }

            /// The remedy: what the caller can do.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),+ }
            }
        }
    };
}

error_codes! {
    AgentDeregistered: "Register the agent anew; its tokens have ended.",
    AgentNotFound: "Name an agent that exists, or leave agent_config.agent out.",
    AgentNotOwned: "Ask the owner of the agent; an agent of the platform is changed by an admin.",
    AgentSuspended: "Take the agent over first: PATCH /api/v1/agents/{id} with trusted true and state active.",
    AgentTokenNotFound: "Check the id, and that your credential belongs to its tenant.",
    AgentTokenRequired: "Call with the token of the agent itself, as X-Agent-Token.",
    AgentUnavailable retryable: "Try again shortly; see the agent's status.",
    AliasNotFound: "GET /api/v1/models lists the models of your tenant with their aliases and versions.",
    AlreadyExists: "Use another name, or change the one that exists.",
    ApiKeyNotFound: "Check the id, and that your credential belongs to its tenant.",
    ArtifactNotFound: "Check the id, and that your credential belongs to its tenant.",
    BodyMalformed: "Send one JSON document in UTF-8, as the OpenAPI document describes it.",
    BodyTooSlow retryable: "Send the body without pauses.",
    CheckpointNotFound: "Check the id, and that your credential belongs to its tenant.",
    CreatorForbidden: "Have somebody who may create sessions start the work anew.",
    DatasetNotFound: "Check the id, and that your credential belongs to its tenant.",
    DependencyUnavailable retryable: "Try again shortly; GET /ready says what is down.",
    EnrolmentNotFound: "Check the id, and that your credential belongs to its tenant; an enrolment ends when it expires.",
    EnrolmentTokenRequired: "Call with an enrolment token as Bearer credential: POST /api/v1/runners/enrolments creates one.",
    EnvironmentNotFound: "Check the id, and that your credential belongs to its tenant.",
    ExperimentNotFound: "Check the id, and that your credential belongs to its tenant.",
    Forbidden: "Ask a lead or an admin of your tenant, or use a credential with that role.",
    HeadersTooLarge: "Send fewer or shorter headers: 32 KiB in all.",
    IdempotencyInProgress retryable: "Wait for the answer to the first request, or send this one again shortly.",
    IdempotencyKeyReused: "Use a new Idempotency-Key for a new request.",
    InternalError retryable: "Try again; if it stays, report the request_id.",
    InvalidTransition: "Read `current`: it names the state and the states that it may go to.",
    JobNotFound: "Check the id, and that your credential belongs to its tenant.",
    LastAdmin: "Make somebody else an admin first.",
    LeaseLost: "Stop the task: it was cancelled, abandoned or granted to another agent. Claim again for further work.",
    MethodNotAllowed: "Use a method that the Allow header lists.",
    ModelNotFound: "GET /api/v1/models lists the models of your tenant with their aliases and versions.",
    ModelVersionArchived: "Name another version, or bring this one back first: PATCH it with archived false.",
    ModelVersionInUse: "Move the aliases that `current` names to another version first.",
    ModelVersionNotFound: "GET /api/v1/models lists the models of your tenant with their aliases and versions.",
    NoEarlierVersion: "Point the alias at a version by PUT, or DELETE it.",
    NoConsent: "Have a lead or an admin of the tenant agree: PATCH /api/v1/tenant with training_consent true.",
    PayloadTooLarge: "Send at most 1 MiB; 10 MiB as the result of a task.",
    QuotaExceeded retryable: "Wait until one that counts ends, or have the limit raised.",
    RateLimited retryable: "Wait as long as Retry-After says; RateLimit states how many calls are left.",
    RequestTimedOut retryable: "Try again, with an Idempotency-Key so that it is done once.",
    ResultDiffers: "Report a task's result once; sent again it must be the same.",
    RouteNotFound: "See /docs for the routes there are.",
    RunnerCredentialRequired: "Call with the credential that POST /api/v1/runners/register returned to this runner.",
    RunnerNotFound: "Check the id, and that your credential belongs to its tenant.",
    RunnerRemoved: "Enrol the runner anew; its credentials have ended.",
    SecretNotFound: "Check the scope and the name; GET /api/v1/secrets lists the secrets there are.",
    SecretsClosed: "Ask for the secrets before the first report of a lease; claim the task anew to ask again.",
    SecretsForbidden: "Have a lead of the session's tenant trust the agent: PATCH /api/v1/agents/{id} with trusted true.",
    SecretShownOnce: "The first response held the secret. Without it, rotate or replace what `current` names.",
    SessionNotFound: "Check the id, and that your credential belongs to its tenant.",
    SpawnForbidden: "Have a lead of the session's tenant trust the agent: PATCH /api/v1/agents/{id} with trusted true.",
    TaskNotFound: "Check the id, and that your credential belongs to its tenant.",
    TenantActive: "Deactivate the tenant first, and wait until nothing of it runs.",
    TenantBusy retryable: "Send fewer requests at once, and repeat this one shortly.",
    TenantInactive: "Have an admin reactivate the tenant.",
    TenantInvalid: "X-Tenant-ID takes the tenant's uuid or its slug.",
    TenantMismatch: "Name your own tenant in X-Tenant-ID, or leave it out where it is not required.",
    TenantNotFound: "Check the id, and that your credential belongs to its tenant.",
    TooManyStreams retryable: "Close streams that nobody reads, or wait until one ends; one connection can follow many topics.",
    TokenQuotaExceeded retryable: "Wait for the month's end, or have the tenant's token limit raised.",
    Unauthenticated: "Send `Authorization: Bearer <API key or token>` with one that is neither revoked nor expired.",
    UnsupportedMediaType: "Send the body with Content-Type: application/json.",
    UriTooLong: "Send at most 8 KiB as path and query.",
    UserNotFound: "Check the id, and that your credential belongs to its tenant.",
    ValidationFailed: "Correct the fields that `errors` names.",
    VersionMismatch: "Read the object again and repeat the change on its current version.",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_value(self) {
            Ok(Value::String(text)) => f.write_str(&text),
            _ => write!(f, "{self:?}"),
        }
    }
}
