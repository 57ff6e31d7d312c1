//! The calls of API Gateway: a connection was opened, sent a message, or was closed.

use std::time::Duration;

use serde_json::json;

use crate::{
    events::stream::services::StreamServices,
    events::stream::{
        connection::Connection,
        message,
        service::{ClientAction, StreamCredentials, authenticate_subscriber, handle_client_message},
    },
    identity::auth::CallOrigin,
    kernel::error::{Code, Error, Result},
    platform::queue::job::Job,
};

use super::{
    ApiGatewayClient, SendOutcome,
    connection_state::StoredConnection,
    registry,
    runner_connections::{delete_runner_connection, is_runner_connection},
};

/// The subscription that the URL of a connection asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct InitialSubscription<'a> {
    pub topic: Option<&'a str>,
    /// The cursor to start after; ignored without a topic.
    pub after: Option<&'a str>,
}

/// Accepts a new connection. Nothing can be sent to it before this call returns, so the job `Broadcast` greets it.
pub async fn on_connect(
    services: &StreamServices,
    id: &str,
    credentials: StreamCredentials<'_>,
    call: CallOrigin,
    initial: InitialSubscription<'_>,
) -> Result<()> {
    let subscriber = Box::pin(authenticate_subscriber(services, credentials, call)).await?;
    let first = match initial.topic {
        None => None,
        Some(named) => {
            let after = initial.after;
            let topic = message::parse_topic(named)?;
            subscriber.check_topic_access(topic)?;
            after.map(|after| message::parse_cursor(&services.cursors, topic, after)).transpose()?;
            Some(json!({"action": "subscribe", "topic": topic, "after": after}).to_string())
        }
    };
    let tenant_id = subscriber.tenant_id;
    let (own, all) = registry::count_connections(&services.cache, &subscriber).await?;
    services.stream_limits.check(own, all)?;
    let connection = Connection::new(id.to_owned(), subscriber, services.clock.now());
    registry::insert_connection(&services.cache, &StoredConnection::new(connection, first)).await?;
    services.enqueue(&[(Job::broadcast(tenant_id), Duration::ZERO)]).await;
    Ok(())
}

/// Deletes the state of a connection that was closed.
pub async fn on_disconnect(services: &StreamServices, id: &str) -> Result<()> {
    if delete_runner_connection(&services.cache, id).await? {
        return Ok(());
    }
    let state = registry::find_connection(&services.cache, id).await?;
    registry::delete_connection(&services.cache, state.map(|state| state.connection.subscriber.tenant_id), id).await
}

/// Handles a message of a client. A connection without state, such as after Redis was emptied, is closed: the client
/// reconnects and resumes from its cursor.
pub async fn on_message(services: &StreamServices, gateway: &ApiGatewayClient, id: &str, text: &str) -> Result<()> {
    let Some(lease) = registry::acquire_lease(&services.cache, id).await? else {
        return Err(Error::new(Code::DependencyUnavailable, "Another process is writing to the connection."));
    };
    let Some(mut state) = lease.state.clone() else {
        if is_runner_connection(&services.cache, id).await? {
            return Ok(());
        }
        gateway.close_connection(id).await;
        return registry::delete_connection(&services.cache, None, id).await;
    };
    state.seen_at = services.clock.now();
    let action = handle_client_message(services, &state.connection, text).await;
    let sent = apply_client_action(gateway, &mut state, action).await;
    let tenant_id = state.connection.subscriber.tenant_id;
    if sent == SendOutcome::Gone {
        return registry::delete_connection(&services.cache, Some(tenant_id), id).await;
    }
    registry::release_lease(&services.cache, &lease, &state, !lease.broken && sent == SendOutcome::Delivered).await?;
    services.enqueue(&[(Job::broadcast(tenant_id), Duration::ZERO)]).await;
    Ok(())
}

/// Applies the effect of a client message and sends its frame. A subscription is confirmed before its first event is
/// sent.
pub(super) async fn apply_client_action(
    gateway: &ApiGatewayClient,
    state: &mut StoredConnection,
    action: ClientAction,
) -> SendOutcome {
    let id = state.connection.id.clone();
    match action {
        ClientAction::Pong => SendOutcome::Delivered,
        ClientAction::Reject(frame) => gateway.send_frame(&id, &frame).await,
        ClientAction::Unsubscribe { topic, frame } | ClientAction::Resync { topic, frame } => {
            state.connection.topics.remove(&topic);
            gateway.send_frame(&id, &frame).await
        }
        ClientAction::Subscribe { topic, subscription, frame } => {
            let sent = gateway.send_frame(&id, &frame).await;
            if sent != SendOutcome::Throttled {
                state.connection.topics.insert(topic, subscription);
            }
            sent
        }
    }
}
