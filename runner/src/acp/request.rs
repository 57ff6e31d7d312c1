//! Requests of ours to an agent, with a limit to their time.

use std::time::Duration;

use agent_client_protocol::JsonRpcMessage;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    failure::{AgentFailure, AgentFailureCode},
    message::{RpcError, write_notification, write_request},
    state::ConnectionState,
};

/// Sends a request and waits for its result, at most for so long.
pub(super) async fn call<R: JsonRpcMessage + Serialize>(
    state: &ConnectionState,
    request: &R,
    limit: Duration,
) -> Result<Value, AgentFailure> {
    let id = state.new_id();
    if let Ok(result) = timeout(limit, call_as(state, id, request)).await {
        return result;
    }
    state.forget_response(id);
    let message = format!("the agent did not answer {} within {} s", request.method(), limit.as_secs_f64());
    Err(state.failure(AgentFailureCode::StartTimeout, message))
}

/// Sends a request under an id and waits for its result without limit.
pub(super) async fn call_as<R: JsonRpcMessage + Serialize>(
    state: &ConnectionState,
    id: u64,
    request: &R,
) -> Result<Value, AgentFailure> {
    let params = write_params(request)?;
    let response = state.expect_response(id);
    state.send(write_request(id, request.method(), &params)).await?;
    match response.await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(error)) => Err(refusal(state, request.method(), &error)),
        Err(_) => Err(state.wait_for_end().await),
    }
}

/// Sends a notification.
pub(super) async fn notify<N: JsonRpcMessage + Serialize>(
    state: &ConnectionState,
    notification: &N,
) -> Result<(), AgentFailure> {
    let params = write_params(notification)?;
    state.send(write_notification(notification.method(), &params)).await
}

fn write_params(message: &impl Serialize) -> Result<Value, AgentFailure> {
    let failed = |error| AgentFailure::new(AgentFailureCode::Protocol, format!("a message cannot be written: {error}"));
    serde_json::to_value(message).map_err(failed)
}

fn refusal(state: &ConnectionState, method: &str, error: &RpcError) -> AgentFailure {
    let code = if error.asks_for_sign_in() { AgentFailureCode::AuthRequired } else { AgentFailureCode::Refused };
    state.failure(code, format!("the agent answered {method} with an error ({}): {}", error.code, error.message))
}
