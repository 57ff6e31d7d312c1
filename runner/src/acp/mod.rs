//! Drives a coding agent over the Agent Client Protocol: JSON-RPC 2.0, one object a line, over the agent's standard
//! input and output.
//!
//! The crate `agent-client-protocol` gives the types of what is sent. Its connection is not used: it reads without
//! limit into an unbounded queue, and an agent is untrusted. Here lines have a largest size, updates wait for their
//! reader, and whatever an agent sends beyond the protocol is read leniently or ends in a failure with a code.
//!
//! Read in this order: [`AgentConnection`], [`AgentUpdates`] and [`AgentUpdate`], [`PermissionPolicy`],
//! [`AgentFailure`].

mod connection;
mod error_output;
mod failure;
mod line_reader;
mod message;
mod permission;
mod permission_desk;
mod receiver;
mod request;
mod session;
mod state;
mod update;
mod update_queue;
mod update_reader;

pub use agent_client_protocol::v1::schema::{EnvVariable, HttpHeader, McpServer, McpServerHttp, McpServerStdio};
pub use connection::{AgentConnection, ConnectionLimits, ConnectionOptions};
pub use failure::{AgentFailure, AgentFailureCode, FailureCategory};
pub use permission::{
    InvalidPermissions, PermissionChoice, PermissionOption, PermissionPolicy, PermissionRule, ToolKind, find_option,
    strictest_rule,
};
pub use permission_desk::PermissionAnswer;
pub use session::{AgentInfo, SessionInfo, SessionOption, TokenUsage, TurnEnd, TurnEndReason};
pub use update::{
    AgentUpdate, ContextUsage, Cost, FileDiff, PermissionRequest, PermissionRequestId, PlanEntry, ToolCallReport,
    ToolLocation, ToolStatus,
};
pub use update_queue::AgentUpdates;
