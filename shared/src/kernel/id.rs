//! The id types: a UUID v7 each, as a distinct type, so that no id is passed for another.

use std::{fmt, str::FromStr};

use postgres_types::{FromSql, ToSql};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSql, FromSql, ToSchema)]
        #[serde(transparent)]
        #[postgres(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Creates a new id. The ids of one process sort by creation time.
            #[expect(clippy::new_without_default, reason = "a default id would be a new one at each call")]
            #[expect(clippy::disallowed_methods, reason = "only this module creates ids")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// An agent that works on sessions.
    AgentId
    /// The token of an external agent (its public part).
    AgentTokenId
    /// An artifact of a session: a patch, a file, a report.
    ArtifactId
    /// One entry of an audit log.
    AuditId
    /// A dataset of samples from sessions.
    DatasetId
    /// An environment that sessions work in.
    EnvironmentId
    /// One entry of an event log.
    EventId
    /// An experiment that compares models on live sessions.
    ExperimentId
    /// A task: a run of a session as an external agent receives it.
    ExternalTaskId
    /// An API key (its public part).
    KeyId
    /// A message to a session: a further prompt, or the answer to a question.
    MessageId
    /// A version of a model in the registry.
    ModelVersionId
    /// One request or one run of a job, as every log line names it.
    RequestId
    /// The credential of a runner (its public part).
    RunnerCredentialId
    /// A token with which runners enrol in a pool (its public part).
    RunnerEnrolmentId
    /// A runner: a machine on which the agents of a pool work.
    RunnerId
    /// A secret of a tenant, an environment or a user.
    SecretId
    /// A coding session.
    SessionId
    /// A tenant.
    TenantId
    /// A fine-tuning job.
    TrainingJobId
    /// A user.
    UserId
}
