//! `GET /ws/...`: the live stream of a host that holds the connections itself.

use std::time::Duration;

use axum::{
    Router,
    extract::{
        FromRequestParts, Request, State,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    response::Response,
    routing::get,
};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde::Deserialize;
use serde_json::json;
use shared::{
    app::App,
    events::stream::{
        Subscriber, Topic,
        connection::Connection,
        frame,
        hub::{
            ConnectionHandle,
            outbox::{CloseReason, OutboxItem, QueuedFrame},
            serve::handle_message,
        },
        message::{self, MAX_MESSAGE},
        service::{StreamCredentials, authenticate_subscriber},
    },
    identity::auth::CallOrigin,
    kernel::{
        error::{Code, Error, Result},
        id::RequestId,
    },
};

use crate::http::{
    problem::HandlerResult,
    request::{ClientAddress, Query, RequestText, credentials},
};

/// How many frames are written at once.
const AT_ONCE: usize = 64;
/// How long a reader may keep one write waiting.
const WRITE: Duration = Duration::from_mins(2);
/// How long the end of a connection may take.
const CLOSING: Duration = Duration::from_secs(1);
/// How many messages a client may send in a burst, and how many a second after that.
const BURST: f64 = 60.0;
const PER_SECOND: f64 = 10.0;

/// The socket. Its routes are no part of the documented API: a WebSocket is none of what OpenAPI describes.
pub fn routes() -> Router<App> {
    Router::new().route("/ws/{*topic}", get(open))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    ticket: Option<String>,
    after: Option<String>,
}

async fn open(State(app): State<App>, request: Request) -> HandlerResult<Response> {
    let (mut parts, _) = request.into_parts();
    let topic: Topic = parts.uri.path().parse().map_err(|_| {
        Error::new(
            Code::RouteNotFound,
            "There is no such topic: /ws/sessions, /ws/agents, /ws/fine-tuning, /ws/system.",
        )
    })?;
    let Query(opening) = Query::<Opening>::from_request_parts(&mut parts, &app).await?;
    let after = opening.after.as_deref();
    after.map(|after| message::parse_cursor(&app.cursors, topic, after)).transpose()?;
    let call = CallOrigin {
        request_id: parts.extensions.get::<RequestText>().map(|id| id.0.clone()).unwrap_or_default(),
        address: parts.extensions.get::<ClientAddress>().map(|address| address.0.clone()),
    };
    let entry = StreamCredentials { ticket: opening.ticket.as_deref(), credentials: credentials(&parts.headers)? };
    let subscriber = Box::pin(authenticate_subscriber(&app, entry, call)).await?;
    subscriber.check_topic_access(topic)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app).await.map_err(no_socket)?;
    let connection = enter(&app, subscriber)?;
    let first = json!({"action": "subscribe", "topic": topic, "after": after});
    let upgrade = upgrade.max_message_size(2 * MAX_MESSAGE).max_frame_size(2 * MAX_MESSAGE);
    Ok(upgrade
        .on_upgrade(move |socket| async move { Box::pin(serve(app, connection, socket, first.to_string())).await }))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
pub(super) fn no_socket(rejection: WebSocketUpgradeRejection) -> Error {
    let detail = "This is a WebSocket: open it with one, or read GET /api/v1/live/events.";
    Error::new(Code::ValidationFailed, detail).caused_by(rejection.to_string())
}

/// Takes a place among the connections of this process, and says so first.
fn enter(app: &App, subscriber: Subscriber) -> Result<ConnectionHandle> {
    let hub =
        app.backend.hub().ok_or_else(|| Error::new(Code::RouteNotFound, "The live stream is at another address."))?;
    let (id, tenant_id, now) = (RequestId::new().to_string(), subscriber.tenant_id, app.clock.now());
    let connection = hub.register(Connection::new(id.clone(), subscriber, now), app.stream_limits)?;
    connection.outbox.push_control(frame::connection_established(&id, tenant_id, &app.settings.live, now));
    Ok(connection)
}

/// Serves a connection until either side ends it.
async fn serve(app: App, connection: ConnectionHandle, socket: WebSocket, first: String) {
    let (mut writes, reads) = socket.split();
    handle_message(&connection, &app, &first).await;
    tokio::select! {
        () = write(&app, &connection, &mut writes) => {}
        () = read(&app, &connection, reads) => {}
    }
    // A client that closes is answered with a close frame, which waits to be written.
    let _ = tokio::time::timeout(CLOSING, writes.close()).await;
}

async fn write(app: &App, connection: &ConnectionHandle, writes: &mut SplitSink<WebSocket, Message>) {
    let mut pings = tokio::time::interval(app.settings.live.heartbeat);
    loop {
        let first = tokio::select! {
            next = connection.outbox.next_item() => match next {
                OutboxItem::Frame(frame) => text(frame),
                OutboxItem::Close(why) => return close(writes, why).await,
            },
            // Whoever is there answers by itself.
            _ = pings.tick() => Message::Ping(bytes::Bytes::new()),
        };
        let written = async {
            writes.feed(first).await?;
            for _ in 1..AT_ONCE {
                let Some(OutboxItem::Frame(frame)) = connection.outbox.try_next_item() else { break };
                writes.feed(text(frame)).await?;
            }
            writes.flush().await
        };
        match tokio::time::timeout(WRITE, written).await {
            Ok(Ok(())) => connection.record_write(),
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

fn text(frame: QueuedFrame) -> Message {
    Message::Text(Utf8Bytes::try_from(frame.text).unwrap_or_default())
}

async fn close(writes: &mut SplitSink<WebSocket, Message>, why: CloseReason) {
    let (code, reason) = why.close_frame();
    let frame = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
    let _ = tokio::time::timeout(CLOSING, writes.send(frame)).await;
}

async fn read(app: &App, connection: &ConnectionHandle, mut reads: SplitStream<WebSocket>) {
    let mut left = BURST;
    let mut last = tokio::time::Instant::now();
    while let Some(Ok(message)) = reads.next().await {
        match message {
            Message::Text(text) => {
                left = (left + last.elapsed().as_secs_f64() * PER_SECOND).min(BURST) - 1.0;
                last = tokio::time::Instant::now();
                if left < 0.0 {
                    connection.outbox.close(CloseReason::Flooded);
                    continue;
                }
                handle_message(connection, app, &text).await;
            }
            Message::Binary(_) => handle_message(connection, app, "").await,
            Message::Ping(_) | Message::Pong(_) => connection.record_activity(),
            Message::Close(_) => return,
        }
    }
}
