//! The MCP server: lists the tools, and passes their calls to the job of the session.

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    SERVER_NAME,
    arguments::{
        ASK_PERSON, ATTACH, AttachedFile, AwaitedSessions, ChildPrompt, PersonQuestion, SPAWN_SESSION, WAIT_FOR,
        list_tools,
    },
};

/// Where the result of a call goes: a text for the model, or a text that says why there is none. It is closed once
/// nobody waits for it any more.
pub type ToolReply = oneshot::Sender<Result<String, String>>;

/// A call of a tool, with arguments that are within their limits.
#[derive(Debug)]
pub enum ToolCall {
    /// Asks a person, however long the answer takes.
    AskPerson { asked: PersonQuestion, reply: ToolReply },
    /// Adds a file to the result.
    Attach { file: AttachedFile, reply: ToolReply },
    /// Creates a session below that of the agent.
    SpawnSession { asked: ChildPrompt, reply: ToolReply },
    /// Waits for sessions that the agent has created.
    WaitFor { awaited: AwaitedSessions, reply: ToolReply },
}

/// The server of one session.
#[derive(Clone, Debug)]
pub(super) struct ToolServer {
    calls: mpsc::Sender<ToolCall>,
}

impl ToolServer {
    pub(super) fn new(calls: mpsc::Sender<ToolCall>) -> Self {
        Self { calls }
    }

    /// Waits for the result. A call whose client is gone is dropped here, which closes its reply.
    async fn carry_out(&self, params: CallToolRequestParams) -> Result<String, String> {
        let (reply, result) = oneshot::channel();
        let arguments = params.arguments.unwrap_or_default();
        let call = match params.name.as_ref() {
            ASK_PERSON => ToolCall::AskPerson { asked: PersonQuestion::parse(arguments)?, reply },
            ATTACH => ToolCall::Attach { file: AttachedFile::parse(arguments)?, reply },
            SPAWN_SESSION => ToolCall::SpawnSession { asked: ChildPrompt::parse(arguments)?, reply },
            WAIT_FOR => ToolCall::WaitFor { awaited: AwaitedSessions::parse(arguments)?, reply },
            other => {
                let tools = [ASK_PERSON, ATTACH, SPAWN_SESSION, WAIT_FOR].join(", ");
                return Err(format!("there is no tool {other}: use one of {tools}"));
            }
        };
        let over = || "the session is over".to_owned();
        self.calls.send(call).await.map_err(|_| over())?;
        result.await.map_err(|_| over())?
    }
}

impl ServerHandler for ToolServer {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        info.server_info = Implementation::new(SERVER_NAME, env!("CARGO_PKG_VERSION"));
        info
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(list_tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let result = context.ct.run_until_cancelled(self.carry_out(request)).await;
        let result = result.unwrap_or_else(|| Err("the call was cancelled".to_owned()));
        // A refusal is a result: agents hide protocol errors from their models.
        let result = match result {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Err(text) => CallToolResult::error(vec![ContentBlock::text(text)]),
        };
        Ok(result.into())
    }
}
