//! `POST /a2a/{tenant}`: the JSON-RPC binding. It reads a call, runs the operation of the HTTP+JSON binding, and
//! answers with its result or error under the id of the call.

use a2a::{A2AError, JsonRpcId, JsonRpcResponse, SubscribeToTaskRequest, TaskState, methods};
use axum::{
    Json as JsonBody,
    extract::{FromRequest, Request, State},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use shared::{
    a2a::{proto_json::normalize, service},
    app::App,
    identity::auth::{Caller as AuthenticatedCaller, Role, Scope, require_role, require_scope, scope::Area},
    kernel::error::Error,
};

use super::{
    cancel::cancel_task,
    get::find_task,
    refusal::{A2aError, RpcId},
    request::{Base, RpcCaller, check_version},
    send::send_message,
    stream::{Envelope, stream_message},
    subscribe::subscribe_to_task,
};
use crate::http::request::Json;

/// An error of a call, with its id.
pub(super) struct RpcError {
    id: JsonRpcId,
    error: A2aError,
}

impl IntoResponse for RpcError {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        response.extensions_mut().insert(RpcId(self.id));
        response
    }
}

/// A call: its id, the method and the parameters.
struct RpcCall {
    id: JsonRpcId,
    method: String,
    params: Map<String, Value>,
}

impl RpcCall {
    fn parse(body: Value) -> Result<Self, RpcError> {
        let refuse = |id: JsonRpcId, error: A2AError| Err(RpcError { id, error: error.into() });
        let Value::Object(mut call) = body else {
            let why = "The body must be one call: an object. Batches are not supported.";
            return refuse(JsonRpcId::Null, A2AError::invalid_request(why));
        };
        let id = call.remove("id").map(serde_json::from_value::<JsonRpcId>);
        let Some(Ok(id)) = id else {
            let why = "id must be a text or a whole number.";
            return refuse(JsonRpcId::Null, A2AError::invalid_request(why));
        };
        if call.get("jsonrpc") != Some(&json!("2.0")) {
            return refuse(id, A2AError::invalid_request("jsonrpc must be \"2.0\"."));
        }
        let Some(Value::String(method)) = call.remove("method") else {
            return refuse(id, A2AError::invalid_request("method must be the name of a method."));
        };
        match call.remove("params") {
            None | Some(Value::Null) => Ok(Self { id, method, params: Map::new() }),
            Some(Value::Object(params)) => Ok(Self { id, method, params }),
            Some(_) => refuse(id, A2AError::invalid_params("params must be an object.")),
        }
    }
}

/// Call a method
///
/// Calls a method of A2A by its JSON-RPC binding: `SendMessage`, `SendStreamingMessage`, `GetTask`, `ListTasks`,
/// `CancelTask`, `SubscribeToTask`, the four operations on push notification configurations, and
/// `GetExtendedAgentCard`. An error is answered as a JSON-RPC error.
#[utoipa::path(post, path = "/api/v1/a2a/{tenant}", operation_id = "a2a_call", tag = "a2a",
    params(("tenant" = String, Path, description = "The slug of the tenant.")), request_body = Object,
    responses((status = 200, description = "The result or the error of the call; for a streaming method Server-Sent Events of such answers.",
        content((Object = "application/json"), (String = "text/event-stream")))))]
pub(super) async fn call(
    State(app): State<App>,
    caller: RpcCaller,
    Base(base): Base,
    request: Request,
) -> Result<Response, RpcError> {
    let version = check_version(request.headers());
    let read = Json::<Value>::from_request(request, &app).await;
    let Json(body) = read.map_err(|failed| RpcError { id: JsonRpcId::Null, error: failed.0.into() })?;
    let call = RpcCall::parse(body)?;
    let id = call.id.clone();
    let answer = match version {
        Ok(()) => answer_call(&app, &caller, &base, call).await,
        Err(error) => Err(error.into()),
    };
    answer.map_err(|error| RpcError { id, error })
}

async fn answer_call(app: &App, caller: &AuthenticatedCaller, base: &str, call: RpcCall) -> Result<Response, A2aError> {
    let RpcCall { id, method, params } = call;
    if !methods::is_valid(&method) {
        return Err(A2AError::method_not_found(&method).into());
    }
    check_permission(caller, &method)?;
    match method.as_str() {
        methods::SEND_MESSAGE => answer(id, &send_message(app, caller, base, &read(params)?).await?),
        methods::GET_TASK => answer(id, &find_task(app, caller, base, &read(params)?).await?),
        methods::LIST_TASKS => {
            let mut request: a2a::ListTasksRequest = read(params)?;
            request.status = request.status.filter(|status| *status != TaskState::Unspecified);
            answer(id, &service::list(app, caller, &request, base).await?)
        }
        methods::CANCEL_TASK => {
            let request: a2a::CancelTaskRequest = read(params)?;
            answer(id, &cancel_task(app, caller, base, &request.id).await?)
        }
        methods::SEND_STREAMING_MESSAGE => {
            stream_message(app.clone(), caller.clone(), base, &read(params)?, Envelope::JsonRpc(id)).await
        }
        methods::SUBSCRIBE_TO_TASK => {
            let request: SubscribeToTaskRequest = read(params)?;
            subscribe_to_task(app.clone(), caller.clone(), base, &request.id, Envelope::JsonRpc(id)).await
        }
        methods::GET_EXTENDED_AGENT_CARD => Err(super::card::no_extended_card().into()),
        _ => Err(A2AError::push_notification_not_supported().into()),
    }
}

/// The rights that the same operation needs by HTTP+JSON.
fn check_permission(caller: &AuthenticatedCaller, method: &str) -> Result<(), Error> {
    let reads = [
        methods::GET_TASK,
        methods::LIST_TASKS,
        methods::GET_PUSH_CONFIG,
        methods::LIST_PUSH_CONFIGS,
        methods::GET_EXTENDED_AGENT_CARD,
    ];
    let write = !reads.contains(&method);
    require_role(caller, if write { Role::Member } else { Role::Viewer })?;
    require_scope(caller, Scope { area: Area::Sessions, write })
}

fn read<T: DeserializeOwned>(params: Map<String, Value>) -> Result<T, A2AError> {
    serde_json::from_value(normalize(Value::Object(params))?)
        .map_err(|error| A2AError::invalid_params(error.to_string()))
}

fn answer(id: JsonRpcId, result: &impl Serialize) -> Result<Response, A2aError> {
    let result = serde_json::to_value(result).map_err(Error::from)?;
    Ok(JsonBody(JsonRpcResponse::success(id, result)).into_response())
}
