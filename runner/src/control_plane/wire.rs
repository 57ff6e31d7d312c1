//! What is sent to the control plane and received from it. Unknown fields of answers are ignored, as the protocol asks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::environment::TaskEnvironment;

/// The registration of a runner.
#[derive(Clone, Debug, Serialize)]
pub struct RunnerRegistration {
    pub protocol_version: &'static str,
    pub name: String,
    /// The version of the runner.
    pub version: &'static str,
    pub os: &'static str,
    pub arch: &'static str,
    pub labels: BTreeMap<String, String>,
    /// How many sessions it works on at once.
    pub slots: usize,
    /// `none`, `process`, `container` or `sandbox`.
    pub isolation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation_reason: Option<String>,
    pub programs: Vec<OfferedProgram>,
}

/// A program that the runner offers.
#[derive(Clone, Debug, Serialize)]
pub struct OfferedProgram {
    pub program: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// An enrolment that was created.
#[derive(Debug, Deserialize)]
pub struct CreatedEnrolment {
    pub token: String,
}

/// The answer to the registration of a runner.
#[derive(Debug, Deserialize)]
pub struct RegisteredRunner {
    pub runner_id: String,
    /// Absent for a runner that has one.
    pub credential: Option<String>,
    pub agents: Vec<AgentOfRunner>,
    #[serde(default = "default_heartbeat")]
    pub heartbeat_seconds: f64,
    /// Where the connection for signals is, if it is not where the API is.
    pub signals_url: Option<String>,
}

/// The agent that the runner works as with one of its programs.
#[derive(Clone, Debug, Deserialize)]
pub struct AgentOfRunner {
    pub program: String,
    pub agent_id: String,
}

/// The interval of a server that does not name one, in seconds.
fn default_heartbeat() -> f64 {
    15.0
}

/// A heartbeat of the runner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunnerHeartbeat {
    /// `active`, `draining` or `offline`.
    pub state: &'static str,
    pub jobs: Vec<RunnerJob>,
}

/// A task that the runner works on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunnerJob {
    pub task_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<&'static str>,
    /// The memory of its processes, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_mb: Option<u64>,
    /// Their processor time, in percent of one processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u64>,
}

/// The answer to a heartbeat.
#[derive(Debug, Default, Deserialize)]
pub struct HeartbeatAnswer {
    #[serde(default)]
    pub commands: Vec<RunnerCommand>,
}

/// What the runner is to do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum RunnerCommand {
    Drain,
    Resume,
    /// A command of a later version.
    #[serde(other)]
    Unknown,
}

/// A credential that replaces another.
#[derive(Debug, Deserialize)]
pub struct RotatedCredential {
    pub credential: String,
}

/// What a claim received.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ClaimedTasks {
    #[serde(default)]
    pub tasks: Vec<Task>,
}

/// One run of a session.
#[derive(Clone, Debug, Deserialize)]
pub struct Task {
    pub task_id: String,
    pub session_id: String,
    pub context: TaskContext,
    /// The `agent_config` of the session, such as its `permissions`.
    #[serde(default)]
    pub input_data: Map<String, Value>,
    #[serde(default)]
    pub requirements: TaskRequirements,
    /// Of the session, which is not over while it waits for a person: the control plane cancels the task when it is.
    pub timeout_seconds: u64,
    pub lease: Lease,
}

/// The work of a task.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TaskContext {
    #[serde(default)]
    pub prompt: String,
    pub workspace: Option<TaskWorkspace>,
    pub environment: Option<TaskEnvironment>,
    pub parent_summary: Option<String>,
    pub continuation: Option<Continuation>,
}

/// Where to work.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TaskWorkspace {
    pub repository: Option<String>,
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    pub directory: Option<String>,
}

/// The point from which the work continues.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Continuation {
    #[serde(default)]
    pub patch: String,
    #[serde(default)]
    pub summary: String,
}

/// What the session asks for.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TaskRequirements {
    /// As `provider/model`.
    pub model: Option<String>,
    pub memory_limit_mb: Option<u64>,
}

/// The right to work on the task.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Lease {
    pub token: i64,
}

/// A report. Empty, it renews the lease.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub lease_token: i64,
    pub seq: i64,
    /// The phase of the run that begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ReportEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    pub tokens_used: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<String>,
    /// The number of the newest message that was taken.
    pub received: i64,
}

/// Something that happened, in the order in which it did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportEvent {
    Message(String),
    Thought(String),
    Tool(ToolCall),
    Log(LogEntry),
}

/// A call of a tool, reported when it begins and when it ends.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolCall {
    pub id: String,
    /// Its name, or the kind of the tool.
    pub tool: String,
    pub title: String,
    pub state: ToolCallState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// How far a call of a tool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolCallState {
    /// Not reported yet.
    Pending,
    Running,
    Completed,
    Error,
}

/// An entry of the session's log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogEntry {
    /// `debug`, `info`, `warning` or `error`.
    pub level: &'static str,
    pub message: String,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Question {
    pub question_id: String,
    /// `input`, `approval`, `auth`, or `sessions`, which the control plane answers itself.
    pub kind: &'static str,
    pub text: String,
    /// The answers to choose from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<QuestionOption>,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

/// An answer to choose.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuestionOption {
    pub label: String,
}

/// A session that an agent asks for.
#[derive(Clone, Debug, Serialize)]
pub struct NewChild {
    pub lease_token: i64,
    /// The runner's own, another one for each session of a task.
    pub request_id: String,
    pub prompt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A session that was created for an agent.
#[derive(Clone, Debug, Deserialize)]
pub struct ChildSession {
    pub id: String,
    pub status: String,
    /// Absent unless it is queued.
    pub waits: Option<ChildWait>,
}

/// What a queued session waits for.
#[derive(Clone, Debug, Deserialize)]
pub struct ChildWait {
    pub detail: String,
}

/// The answer to a report.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ReportAnswer {
    /// The task is to be ended, with whatever exists.
    #[serde(default)]
    pub cancel: bool,
    #[serde(default)]
    pub messages: Vec<Message>,
}

/// What a person says to the agent. It is repeated until a report acknowledges its number.
#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    pub number: i64,
    pub text: Option<String>,
    pub answer: Option<Answer>,
}

/// The answer to a question.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Answer {
    pub question_id: String,
    /// `approve` or `deny`.
    pub decision: Option<String>,
    /// The labels of options.
    pub choices: Option<Vec<String>>,
    pub text: Option<String>,
}

/// The result of a task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskResult {
    pub task_id: String,
    pub lease_token: i64,
    /// `completed` or `failed`.
    pub status: &'static str,
    pub artifacts: Vec<Artifact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The code of a failure, such as `SETUP_FAILED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Whose failure it is, such as `user`; the agent's by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_category: Option<&'static str>,
    /// In how many seconds the provider of the model may be called again: the session pauses until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    pub execution_time_ms: u64,
    pub tokens_used: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<String>,
}

/// A file that was uploaded before.
#[derive(Clone, Debug, Serialize)]
pub struct Artifact {
    pub path: String,
    pub sha256: String,
    pub mime_type: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_a_later_version_is_not_an_error() {
        let answer: HeartbeatAnswer = serde_json::from_str(r#"{"commands": ["drain", "upgrade"], "more": 1}"#).unwrap();
        assert_eq!(answer.commands, [RunnerCommand::Drain, RunnerCommand::Unknown]);
    }
}
