//! The way to the server of a session: its URL and its token.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use rmcp::transport::{
    StreamableHttpServerConfig, StreamableHttpService, streamable_http_server::session::never::NeverSessionManager,
};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{
    SERVER_PATH,
    server::{ToolCall, ToolServer},
};

/// The largest call, in bytes: a question with its options.
const MOST_CALL_BYTES: usize = 256 * 1024;

/// How an agent reaches the tools of its session.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolAccess {
    /// The address, as the agent sees it.
    pub url: String,
    /// Sent as `Authorization: Bearer`. It is good for these tools and nothing else.
    pub token: String,
}

impl ToolAccess {
    /// Access with a new token to the server behind a gateway, such as `http://127.0.0.1:4100`.
    pub fn create(gateway: &str) -> Self {
        let secret: [u8; 32] = rand::random();
        Self { url: format!("{gateway}{SERVER_PATH}"), token: hex::encode(secret) }
    }
}

impl std::fmt::Debug for ToolAccess {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ToolAccess").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The routes of the server, for the gateway of the session. Calls go to `calls`; those whose client disconnects are
/// dropped.
///
/// The server keeps no sessions of its own: each request stands alone, so that there is nothing to resume when an agent
/// is restarted.
pub fn build_tool_routes(access: &ToolAccess, calls: mpsc::Sender<ToolCall>) -> Router {
    let configuration = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_max_request_body_bytes(MOST_CALL_BYTES);
    let server = ToolServer::new(calls);
    let service =
        StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), configuration);
    let expected: [u8; 32] = Sha256::digest(&access.token).into();
    Router::new().route_service(SERVER_PATH, service).layer(from_fn_with_state(expected, check_token))
}

/// Compares hashes, so that the time of a comparison says nothing about the token.
async fn check_token(State(expected): State<[u8; 32]>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if <[u8; 32]>::from(Sha256::digest(token)) != expected {
        return (StatusCode::UNAUTHORIZED, "The token is not that of this session.").into_response();
    }
    next.run(request).await
}
