//! The payloads of events, by event type. Events are stored as JSON, so these types only describe and check them: the
//! OpenAPI document is generated from them, and tests parse the events of real sessions with them.

/// Declares payloads: structs whose fields are described and whose unknown fields are rejected.
macro_rules! payload {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Deserialize, ToSchema)]
            #[serde(deny_unknown_fields)]
            #[expect(dead_code, reason = "parsed to check the form")]
            pub struct $name { $($(#[$attribute])* $field: $kind,)+ }
        )+
    };
}

pub mod frame;
mod session;
mod tenant;
mod training;

use serde::Deserialize;
use shared::{agents::contract::Question, kernel::failure::Failure, sessions::outcome::Outcome};
use utoipa::ToSchema;

use frame::{EstablishedConnection, RejectedMessage, ResyncRequest, SubscribedTopic, TopicCursors};
use session::{
    ChangedPath, CheckpointTaken, SessionCreated, SessionLogLine, SessionMessage, SessionStatusChange, SessionUpdate,
    SessionUsageTotal, StoredArtifact, ToolCall,
};
use tenant::{
    AgentHeartbeat, AgentStatusChange, AgentTask, ComponentHealth, DeregisteredAgent, MovedAlias, RegisteredAgent,
    RegisteredModel, RunnerStatus,
};
use training::{
    TenantTrainingProgress, TenantTrainingResult, TenantTrainingStatusChange, TrainingCreated, TrainingLogLine,
    TrainingProgress, TrainingResult, TrainingStatusChange,
};

/// Declares the payloads of a log: the type of each event, the name of its schema and its payload.
macro_rules! payloads {
    ($(#[$doc:meta])* $name:ident { $($kind:literal $variant:ident($payload:ty),)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, ToSchema)]
        #[serde(tag = "type", content = "payload")]
        pub enum $name {
            $(#[serde(rename = $kind)] $variant($payload),)+
        }

        impl $name {
            /// The type of each event, with the name of its schema and the name of the schema of its payload.
            pub const SCHEMAS: &[(&str, &str, &str)] =
                &[$(($kind, concat!(stringify!($variant), "Event"), stringify!($payload)),)+];
        }
    };
}

payloads! {
    /// The payloads of a session's log.
    SessionEventPayload {
        "session.created" SessionCreated(SessionCreated),
        "session.status_changed" SessionStatusChanged(SessionStatusChange),
        "session.updated" SessionUpdated(SessionUpdate),
        "session.log" SessionLog(SessionLogLine),
        "session.message" SessionMessage(SessionMessage),
        "session.tool" SessionTool(ToolCall),
        "session.file_changed" SessionFileChanged(ChangedPath),
        "session.usage" SessionUsage(SessionUsageTotal),
        "session.checkpoint_created" SessionCheckpointCreated(CheckpointTaken),
        "session.question" SessionQuestion(Question),
        "session.artifact" SessionArtifact(StoredArtifact),
        "session.completed" SessionCompleted(Outcome),
        "session.failed" SessionFailed(Outcome),
    }
}

payloads! {
    /// The payloads of a training job's log.
    TrainingEventPayload {
        "training.created" TrainingCreated(TrainingCreated),
        "training.status_changed" TrainingStatusChanged(TrainingStatusChange),
        "training.progress" TrainingProgress(TrainingProgress),
        "training.log" TrainingLog(TrainingLogLine),
        "training.completed" TrainingCompleted(TrainingResult),
        "training.failed" TrainingFailed(Failure),
    }
}

payloads! {
    /// The payloads of the events of a tenant that belong to no session.
    TenantEventPayload {
        "agent.registered" AgentRegistered(RegisteredAgent),
        "agent.deregistered" AgentDeregistered(DeregisteredAgent),
        "agent.heartbeat" AgentHeartbeat(AgentHeartbeat),
        "agent.status_changed" AgentStatusChanged(AgentStatusChange),
        "agent.task_assigned" AgentTaskAssigned(AgentTask),
        "agent.task_completed" AgentTaskCompleted(AgentTask),
        "runner.registered" RunnerRegistered(RunnerStatus),
        "runner.status_changed" RunnerStatusChanged(RunnerStatus),
        "runner.removed" RunnerRemoved(RunnerStatus),
        "training.status_changed" TenantTrainingStatusChanged(TenantTrainingStatusChange),
        "training.progress" TenantTrainingProgress(TenantTrainingProgress),
        "training.completed" TenantTrainingCompleted(TenantTrainingResult),
        "model.registered" ModelRegistered(RegisteredModel),
        "model.alias_changed" ModelAliasChanged(MovedAlias),
        "system.health_changed" SystemHealthChanged(ComponentHealth),
    }
}

payloads! {
    /// The payloads of the frames that the WebSocket sends by itself.
    ControlEventPayload {
        "connection.established" ConnectionEstablished(EstablishedConnection),
        "subscription.confirmed" SubscriptionConfirmed(SubscribedTopic),
        "subscription.ended" SubscriptionEnded(SubscribedTopic),
        "heartbeat" Heartbeat(TopicCursors),
        "resync" Resync(ResyncRequest),
        "error" MessageRejected(RejectedMessage),
    }
}
