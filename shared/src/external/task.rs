//! What an agent is told of its work, and only that: the assignment, its lease, and what people say meanwhile.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    clock::Time,
    id::{ExternalTaskId, SessionId},
    runtime::Said,
    session::workspace::Workspace,
};

/// One piece of work: a run of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    pub task_id: ExternalTaskId,
    pub session_id: SessionId,
    /// planning, execution, review, debug or integration.
    pub task_type: String,
    pub context: Context,
    /// The session's `agent_config` without the name of the agent.
    pub input_data: Map<String, Value>,
    pub requirements: Requirements,
    /// How long the session may still run.
    pub timeout_seconds: i64,
    /// Where `/progress` and `/result` of this task are.
    pub callback_url: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Context {
    pub title: String,
    pub prompt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Workspace>,
    /// What the session above this one came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_summary: Option<String>,
    /// Absent when it begins at the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuation: Option<Continued>,
}

/// Where the work goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Continued {
    pub from: Origin,
    /// The task that had this work before, where the same agent may still have its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_task_id: Option<ExternalTaskId>,
    /// What was changed so far, to be applied with `git apply`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub patch: String,
    /// What was done so far, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ContinuedFrom)]
pub enum Origin {
    /// It was held, and called off at the agent.
    Pause,
    /// An earlier run ended before its time.
    Checkpoint,
}

/// What the work asks for beside the prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskRequirements)]
pub struct Requirements {
    /// `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_mb: Option<i32>,
}

/// The right to work on a task until it expires; every report renews it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lease {
    /// Grows with every grant of the task. What comes with an older one is refused.
    pub token: i64,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Time,
}

/// A task with its lease, as it is pushed and claimed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Leased {
    #[serde(flatten)]
    pub task: Task,
    pub lease: Lease,
}

/// Something that a person says to the agent. It comes with every answer until it is acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Counts the messages of the task from 1; acknowledged as `received`.
    pub number: i32,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub said: Said,
}
