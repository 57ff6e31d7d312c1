//! The registry of id kinds: a UUID v7 each, as a type of its own, so that no id is ever passed for another.

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
            /// Mints a new id; ids of one process sort by the time they were made.
            #[expect(clippy::new_without_default, reason = "a default id would be a new one at each call")]
            #[expect(clippy::disallowed_methods, reason = "this is the one place that mints ids")]
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
    /// An agent: a server or a program that works on sessions.
    AgentId
    /// The token of an agent outside of the platform (its public part).
    AgentTokenId
    /// Something that a session made and that is kept: a patch, a file, a report.
    ArtifactId
    /// One entry of an audit log.
    AuditId
    /// Samples made of sessions, to train with.
    DatasetId
    /// One entry of an event log.
    EventId
    /// A comparison of models on live sessions.
    ExperimentId
    /// A run of a session, as an external agent has it.
    ExternalTaskId
    /// An API key (its public part).
    KeyId
    /// A message to a session: a further prompt, or the answer to a question.
    MessageId
    /// A version of a model in the registry.
    ModelVersionId
    /// One request or one run of a job, as it stands in every log line of it.
    RequestId
    /// A coding session.
    SessionId
    /// A tenant.
    TenantId
    /// A job of fine-tuning.
    TrainingJobId
    /// A person.
    UserId
}
