//! The tools that every agent has from the runner, as an MCP server of its session: `ask_person`, `attach`,
//! `spawn_session` and `wait_for`.
//!
//! The server is reached over HTTP at the gateway of the session, by a token that is valid for this session alone. It
//! carries nothing out itself: each call goes to the job of the session ([`ToolCall`]), which knows the control plane
//! and the workspace.

mod access;
mod arguments;
mod server;

pub use access::{ToolAccess, build_tool_routes};
pub use arguments::{AttachedFile, AwaitedSessions, ChildPrompt, PersonQuestion};
pub use server::{ToolCall, ToolReply};

/// The name of the server towards agents, which becomes part of the names of its tools.
pub const SERVER_NAME: &str = "ioc";

/// The path of the server at the gateway.
pub const SERVER_PATH: &str = "/mcp";
