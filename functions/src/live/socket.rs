//! `GET /ws/...`: the live stream, where this process holds the connections itself.

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
    auth::service::Call,
    error::{Code, Error, Result},
    id::RequestId,
    live::{
        Topic, Who,
        connection::Connection,
        frame,
        hub::{
            Seat,
            mailbox::{Cut, Letter, Next},
        },
        message::{self, MAX_MESSAGE},
        service::{Entry, admit},
    },
};

use crate::{
    problem::Answer,
    request::{Address, Query, RequestText, credentials},
};

/// How many frames are written at once.
const AT_ONCE: usize = 64;
/// How long a reader may keep one write waiting.
const WRITE: Duration = Duration::from_mins(2);
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

async fn open(State(app): State<App>, request: Request) -> Answer<Response> {
    let (mut parts, _) = request.into_parts();
    let topic: Topic = parts.uri.path().parse().map_err(|_| {
        Error::new(Code::RouteNotFound, "There is no such topic: /ws/sessions, /ws/agents, /ws/tuning, /ws/system.")
    })?;
    let Query(opening) = Query::<Opening>::from_request_parts(&mut parts, &app).await?;
    let after = opening.after.map(|after| message::after(topic, &after)).transpose()?;
    let call = Call {
        request_id: parts.extensions.get::<RequestText>().map(|id| id.0.clone()).unwrap_or_default(),
        address: parts.extensions.get::<Address>().map(|address| address.0.clone()),
    };
    let entry = Entry { ticket: opening.ticket.as_deref(), credentials: credentials(&parts.headers)? };
    let who = Box::pin(admit(&app, entry, call)).await?;
    who.may_watch(topic)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app).await.map_err(no_socket)?;
    let seat = enter(&app, who)?;
    let first = json!({"action": "subscribe", "topic": topic, "after": after.map(|after| after.to_string())});
    let upgrade = upgrade.max_message_size(2 * MAX_MESSAGE).max_frame_size(2 * MAX_MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| async move { Box::pin(serve(app, seat, socket, first.to_string())).await }))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn no_socket(rejection: WebSocketUpgradeRejection) -> Error {
    let detail = "This is a WebSocket: open it with one, or read GET /api/v1/live/events.";
    Error::new(Code::ValidationFailed, detail).caused_by(rejection.to_string())
}

/// Takes a place among the connections of this process, and says so first.
fn enter(app: &App, who: Who) -> Result<Seat> {
    let hub =
        app.push.hub().ok_or_else(|| Error::new(Code::RouteNotFound, "The live stream is at another address."))?;
    let (id, tenant_id, now) = (RequestId::new().to_string(), who.tenant_id, app.clock.now());
    let seat = hub.enter(Connection::new(id.clone(), who, now))?;
    seat.mailbox.say(frame::established(&id, tenant_id, &app.settings.live, now));
    Ok(seat)
}

/// Serves a connection until either side ends it.
async fn serve(app: App, seat: Seat, socket: WebSocket, first: String) {
    let (writes, reads) = socket.split();
    seat.hear(&app, &first).await;
    tokio::select! {
        () = write(&app, &seat, writes) => {}
        () = read(&app, &seat, reads) => {}
    }
}

async fn write(app: &App, seat: &Seat, mut writes: SplitSink<WebSocket, Message>) {
    let mut pings = tokio::time::interval(app.settings.live.heartbeat);
    loop {
        let first = tokio::select! {
            next = seat.mailbox.next() => match next {
                Next::Letter(letter) => text(letter),
                Next::Cut(why) => return close(writes, why).await,
            },
            // Whoever is there answers by itself.
            _ = pings.tick() => Message::Ping(bytes::Bytes::new()),
        };
        let written = async {
            writes.feed(first).await?;
            for _ in 1..AT_ONCE {
                let Some(Next::Letter(letter)) = seat.mailbox.try_next() else { break };
                writes.feed(text(letter)).await?;
            }
            writes.flush().await
        };
        match tokio::time::timeout(WRITE, written).await {
            Ok(Ok(())) => seat.drained(),
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

fn text(letter: Letter) -> Message {
    Message::Text(Utf8Bytes::try_from(letter.text).unwrap_or_default())
}

async fn close(mut writes: SplitSink<WebSocket, Message>, why: Cut) {
    let (code, reason) = why.close();
    let frame = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
    let _ = tokio::time::timeout(Duration::from_secs(1), writes.send(frame)).await;
}

async fn read(app: &App, seat: &Seat, mut reads: SplitStream<WebSocket>) {
    let mut left = BURST;
    let mut last = tokio::time::Instant::now();
    while let Some(Ok(message)) = reads.next().await {
        match message {
            Message::Text(text) => {
                left = (left + last.elapsed().as_secs_f64() * PER_SECOND).min(BURST) - 1.0;
                last = tokio::time::Instant::now();
                if left < 0.0 {
                    seat.mailbox.cut(Cut::Flooded);
                    continue;
                }
                seat.hear(app, &text).await;
            }
            Message::Binary(_) => seat.hear(app, "").await,
            Message::Ping(_) | Message::Pong(_) => seat.alive(),
            Message::Close(_) => return,
        }
    }
}
