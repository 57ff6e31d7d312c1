//! What an agent receives: the assignment, its lease, and messages of users.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    agents::{
        contract::{UserMessage, workspace::Workspace},
        environments::TaskEnvironment,
    },
    kernel::{
        clock::Time,
        id::{ExternalTaskId, SessionId},
    },
};

/// A task of an external agent: one run of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// The id of the task.
    pub task_id: ExternalTaskId,
    /// The session.
    pub session_id: SessionId,
    /// The kind of work: `planning`, `execution`, `review`, `debug` or `integration`.
    pub task_type: String,
    /// The work.
    pub context: TaskContext,
    /// The session's `agent_config` without the name of the agent.
    pub input_data: Map<String, Value>,
    /// The requirements of the work.
    pub requirements: TaskRequirements,
    /// The seconds for which the session may still run.
    pub timeout_seconds: i64,
    /// The URL below which `/progress` and `/result` of the task are.
    pub callback_url: String,
}

/// The work of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskContext {
    /// The title of the session.
    pub title: String,
    /// The prompt.
    pub prompt: String,
    /// The place where the agent works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Workspace>,
    /// The environment to work in, at the version of the session. It names secrets without their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<TaskEnvironment>,
    /// A summary of the result of the parent session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_summary: Option<String>,
    /// The point from which the work continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuation: Option<ContinuationPoint>,
}

/// The point from which the work continues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContinuationPoint {
    /// The reason for the continuation.
    pub from: ContinuedFrom,
    /// The task that is continued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_task_id: Option<ExternalTaskId>,
    /// The changes so far, to be applied with `git apply`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub patch: String,
    /// A summary of the work so far.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
}

/// The reason for a continuation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ContinuedFrom)]
pub enum ContinuedFrom {
    /// It was paused and cancelled at the agent.
    Pause,
    /// An earlier run ended early.
    Checkpoint,
}

/// The requirements of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskRequirements)]
pub struct TaskRequirements {
    /// The model, as `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The largest number of CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<f64>,
    /// The largest amount of memory in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_mb: Option<i32>,
}

/// The right to work on a task until it expires. Each report renews the lease.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lease {
    /// The fencing token of the lease. Reports with an older token are rejected.
    pub token: i64,
    /// When the lease expires.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Time,
}

/// A task with its lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeasedTask {
    #[serde(flatten)]
    pub task: Task,
    /// The lease of the task.
    pub lease: Lease,
}

/// A message of a user to the agent. It is repeated until the agent acknowledges it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskMessage {
    /// The number of the message within the task, from 1. A report acknowledges it with `received`.
    pub number: i32,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub said: UserMessage,
}
