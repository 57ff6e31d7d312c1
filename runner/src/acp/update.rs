//! The reports of an agent while it works.

use serde::Serialize;
use serde_json::Value;

use super::permission::{PermissionOption, PermissionRule, ToolKind};

/// One report of an agent, in the order in which it sent them.
///
/// Texts are cut at 256 KiB and values at 64 KiB; a cut text ends with the number of bytes that are missing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentUpdate {
    /// A piece of what the agent says. Pieces with the same id belong together; some agents give none.
    Message { message_id: Option<String>, text: String },
    /// A piece of what the agent thinks.
    Thought { message_id: Option<String>, text: String },
    /// A tool was called.
    ToolCall(ToolCallReport),
    /// A call went on; what is absent has not changed.
    ToolCallUpdate(ToolCallReport),
    /// The plan of the agent, which replaces an earlier one.
    Plan { entries: Vec<PlanEntry> },
    /// How full the context is, and what the session has cost so far.
    Usage(ContextUsage),
    /// The agent waits for [`answer_permission`](super::AgentConnection::answer_permission).
    PermissionRequest(PermissionRequest),
    /// The policy answered a request for permission by itself.
    PermissionDecided { tool_call: ToolCallReport, rule: PermissionRule },
    /// Anything else, by its name in the protocol: kinds that are unknown, and known ones with unknown content.
    Other { kind: String, content: Value },
}

/// The state of a call of a tool, as far as one report says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ToolCallReport {
    /// Names the call within its session.
    pub id: String,
    /// The name of the tool, where the agent gives it.
    pub name: Option<String>,
    /// A title for people.
    pub title: Option<String>,
    /// The kind of the tool.
    pub kind: Option<ToolKind>,
    /// How far the call is.
    pub status: Option<ToolStatus>,
    /// Which files it concerns.
    pub locations: Vec<ToolLocation>,
    /// The arguments of the call.
    pub input: Option<Value>,
    /// The text that the agent shows of the call.
    pub content: Option<String>,
    /// The changes of files that it makes.
    pub diffs: Vec<FileDiff>,
    /// The exit code of the command that it ran.
    pub exit_code: Option<i64>,
    /// The answer of the tool to the model.
    pub output: Option<String>,
}

/// How far a call of a tool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    /// Its input is not complete, or it waits for permission.
    Pending,
    /// It runs.
    InProgress,
    /// It succeeded.
    Completed,
    /// It failed.
    Failed,
}

/// A location in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolLocation {
    /// As the agent writes it: absolute in the agent's own file system, or relative to its folder.
    pub path: String,
    /// The line, from 1 on.
    pub line: Option<u64>,
}

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    /// As the agent writes it.
    pub path: String,
    /// The content before, absent for a new file.
    pub old_text: Option<String>,
    /// The content afterwards.
    pub new_text: String,
}

/// One entry of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanEntry {
    /// The work to do.
    pub content: String,
    /// `pending`, `in_progress` or `completed`.
    pub status: String,
    /// `high`, `medium` or `low`.
    pub priority: String,
}

/// How full the context of a session is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContextUsage {
    /// The tokens in the context.
    pub used: u64,
    /// The tokens that it can hold.
    pub size: u64,
    /// The cost of the session so far, by the agent's own prices.
    pub cost: Option<Cost>,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// In units of the currency.
    pub amount: f64,
    /// Such as `USD`.
    pub currency: String,
}

/// Names a request for permission within its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PermissionRequestId(pub u64);

/// A request for permission that the policy leaves to a person. The turn waits for the answer without limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PermissionRequest {
    /// To answer by.
    pub id: PermissionRequestId,
    /// The call that waits.
    pub tool_call: ToolCallReport,
    /// The answers that the agent offers.
    pub options: Vec<PermissionOption>,
}
