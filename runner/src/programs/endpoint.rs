//! What a program reaches outside of its sandbox.

use crate::mcp::ToolAccess;

/// Where a program reaches its model, and which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEndpoint {
    /// Such as `http://127.0.0.1:4100`, without `/v1` and without a slash at the end.
    pub base_url: String,
    /// The name of the model as its provider has it.
    pub model: String,
    /// The key that the program sends. The gateway of the runner replaces it with the real one.
    pub api_key_placeholder: String,
}

/// Everything that a program reaches outside of its sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramEndpoints {
    /// Its model.
    pub model: ModelEndpoint,
    /// The tools of its session.
    pub tools: ToolAccess,
}
