//! A client of the live stream, on a socket of its own.

use std::{net::SocketAddr, time::Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use shared::{
    events::stream::{ConnectionHub, hub::serve::serve_connections},
    identity::auth::Role,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::StatusCode, protocol::CloseFrame},
};

use crate::{PATIENCE, TestApp};

/// A test app that is served on a port, with its live stream. Dropping it is like killing the process.
pub struct Served {
    pub addr: SocketAddr,
    _serving: JoinSet<()>,
}

impl Served {
    pub async fn of(world: &TestApp) -> Self {
        Self::on(world, TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    pub fn on(world: &TestApp, listener: TcpListener) -> Self {
        world.may_leave_work("requests are served beside the test");
        let addr = listener.local_addr().expect("an address");
        world.streams.stop();
        let mut serving = JoinSet::new();
        let (api, app) = (world.api.clone(), world.app.clone());
        serving.spawn(async move { axum::serve(listener, api).await.expect("it serves") });
        serving.spawn(async move {
            let hub = app.backend.hub().cloned().unwrap_or_else(ConnectionHub::default);
            serve_connections(&hub, &app).await;
        });
        Self { addr, _serving: serving }
    }

    /// Opens a connection by a ticket of a role of the first tenant.
    pub async fn open(&self, world: &TestApp, path: &str) -> Socket {
        let ticket = ticket(&world.caller(Role::Viewer)).await;
        let separator = if path.contains('?') { '&' } else { '?' };
        self.connect(&format!("{path}{separator}ticket={ticket}"), None).await.expect("it is let in")
    }

    /// Opens a connection, or says with which status it was refused.
    pub async fn connect(&self, path: &str, key: Option<&str>) -> Result<Socket, StatusCode> {
        connect(&format!("ws://{}{path}", self.addr), key).await
    }
}

/// Opens a connection at any address, or says with which status it was refused.
pub async fn connect(url: &str, key: Option<&str>) -> Result<Socket, StatusCode> {
    let mut request = url.into_client_request().expect("a request");
    if let Some(key) = key {
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().expect("a header"));
    }
    match connect_async(request).await {
        Ok((stream, _)) => Ok(Socket { stream }),
        Err(Error::Http(response)) => Err(response.status()),
        Err(other) => panic!("{other}"),
    }
}

/// A new ticket.
pub async fn ticket(caller: &crate::Caller) -> String {
    let made = caller.act("/api/v1/live/tickets").await.expect(201);
    made["ticket"].as_str().expect("a ticket").to_owned()
}

/// An open connection.
pub struct Socket {
    pub stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub async fn send(&mut self, message: Value) {
        self.stream.send(Message::text(message.to_string())).await.expect("it can be sent");
    }

    pub async fn subscribe(&mut self, topic: &str, after: Option<&str>) {
        self.send(json!({"action": "subscribe", "topic": topic, "after": after})).await;
    }

    /// The next frame, whatever it is; `Err` with why the connection was closed.
    pub async fn any(&mut self) -> Result<Value, Option<CloseFrame>> {
        let late = Instant::now() + PATIENCE;
        loop {
            let left = late.saturating_duration_since(Instant::now());
            let next = tokio::time::timeout(left, self.stream.next()).await.expect("a frame comes");
            match next {
                Some(Ok(Message::Text(text))) => {
                    assert!(text.len() < 32 * 1024, "a frame of {} bytes", text.len());
                    return Ok(serde_json::from_str(&text).expect("JSON"));
                }
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The next frame that is no heartbeat.
    #[track_caller]
    pub fn next_event(&mut self) -> impl Future<Output = Value> + '_ {
        let at = std::panic::Location::caller();
        async move {
            loop {
                let frame = self.any().await.unwrap_or_else(|closed| panic!("{at}: closed: {closed:?}"));
                if frame["type"] != "heartbeat" {
                    return frame;
                }
            }
        }
    }

    /// The next frame of this type.
    #[track_caller]
    pub fn until<'a>(&'a mut self, kind: &'a str) -> impl Future<Output = Value> + 'a {
        let at = std::panic::Location::caller();
        async move {
            loop {
                let frame = self.any().await.unwrap_or_else(|closed| panic!("{at}: closed: {closed:?}"));
                if frame["type"] == kind {
                    return frame;
                }
            }
        }
    }

    /// Reads on until we are cut, and says with which code.
    pub async fn cut(&mut self) -> Option<u16> {
        loop {
            if let Err(closed) = self.any().await {
                return closed.map(|frame| frame.code.into());
            }
        }
    }
}
