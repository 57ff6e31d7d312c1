//! The events of API Gateway's WebSocket API: `$connect`, `$disconnect` and the messages of clients.

use std::{collections::HashMap, sync::Arc};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    agents::runners,
    app::App,
    events::stream::{
        ConnectionBackend,
        gateway::{ApiGatewayClient, InitialSubscription, on_connect, on_disconnect, on_message, on_runner_connect},
        service::StreamCredentials,
    },
    identity::auth::{CallOrigin, CallerIdentity, Credentials, identify_caller},
    kernel::{
        error::{Code, Error, Result},
        id::RunnerId,
    },
};

use crate::http::{problem::status, request::credentials};

/// An event, as far as it is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    request_context: Context,
    #[serde(default)]
    headers: Option<HashMap<String, String>>,
    #[serde(default)]
    query_string_parameters: Option<HashMap<String, String>>,
    #[serde(default)]
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    event_type: String,
    connection_id: String,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    identity: Identity,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(default)]
    source_ip: Option<String>,
}

/// What API Gateway is answered: another status than 200 refuses a connection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    pub status_code: u16,
}

/// Answers one event.
pub async fn handle_event(app: &App, event: Value) -> Reply {
    match Box::pin(heed(app, event)).await {
        Ok(()) => Reply { status_code: 200 },
        Err(error) => {
            if error.code().retryable() {
                tracing::error!(?error, "an event of the live stream failed");
            } else {
                tracing::debug!(?error, "a connection was refused");
            }
            Reply { status_code: status(error.code()).as_u16() }
        }
    }
}

async fn heed(app: &App, event: Value) -> Result<()> {
    let ConnectionBackend::ApiGateway(gateway) = &app.backend else {
        return Err(Error::new(Code::InternalError, "LIVE_ENDPOINT must be set: it says where the connections are."));
    };
    let event: Event = serde_json::from_value(event).map_err(Error::internal)?;
    match event.request_context.event_type.as_str() {
        "CONNECT" => connect(app, event).await,
        "DISCONNECT" => on_disconnect(app, &event.request_context.connection_id).await,
        _ => say(app, gateway, &event).await,
    }
}

async fn connect(app: &App, event: Event) -> Result<()> {
    let mut headers = HeaderMap::new();
    for (name, value) in event.headers.unwrap_or_default() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            headers.append(name, value);
        }
    }
    let query = event.query_string_parameters.unwrap_or_default();
    let of = |name: &str| query.get(name).map(String::as_str);
    let context = event.request_context;
    let call = CallOrigin {
        request_id: Arc::from(context.request_id.unwrap_or_default()),
        address: context.identity.source_ip.map(Arc::from),
    };
    let credentials = credentials(&headers)?;
    if let Some(runner) = of("runner") {
        return connect_runner(app, &context.connection_id, runner, credentials, call).await;
    }
    let initial = InitialSubscription { topic: of("topic"), after: of("after") };
    let credentials = StreamCredentials { ticket: of("ticket"), credentials };
    on_connect(app, &context.connection_id, credentials, call, initial).await
}

/// A runner opens the connection for its signals.
async fn connect_runner(
    app: &App,
    connection: &str,
    named: &str,
    credentials: Credentials<'_>,
    call: CallOrigin,
) -> Result<()> {
    let CallerIdentity::Runner(runner) = Box::pin(identify_caller(app, credentials, call)).await? else {
        let detail = "Only the runner itself may open this connection, with its credential.";
        return Err(Error::new(Code::RunnerCredentialRequired, detail));
    };
    let named: RunnerId = named.parse().map_err(|_| Error::invalid_field("runner", "is not a uuid"))?;
    if named != runner.runner_id {
        return Err(runners::not_found(named));
    }
    on_runner_connect(app, connection, &runner).await
}

async fn say(app: &App, gateway: &ApiGatewayClient, event: &Event) -> Result<()> {
    let text = event.body.as_deref().unwrap_or_default();
    on_message(app, gateway, &event.request_context.connection_id, text).await
}
