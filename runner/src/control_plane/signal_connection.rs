//! The WebSocket of the signals: opened, and opened again whenever it ends.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use rand::RngExt;
use tokio::{
    net::TcpStream,
    time::{Instant, interval, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, header::AUTHORIZATION},
        protocol::WebSocketConfig,
    },
};

use super::{credential::SharedCredential, signals::RunnerSignals};

/// How often the connection is tried, and after which silence it is taken for lost.
const PING: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(75);
/// How long it may take to open the connection, and to write to it.
const OPENING: Duration = Duration::from_secs(15);
/// The pause before the connection is opened again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// The largest frame, in bytes.
const MAX_FRAME: usize = 4096;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Keeps the connection for signals open.
#[derive(Debug)]
pub struct SignalConnection {
    url: String,
    credential: SharedCredential,
    signals: Arc<RunnerSignals>,
}

impl SignalConnection {
    /// `named` is the URL that the control plane names, if it names one; else the connection is where its API is.
    pub fn new(
        (plane, runner, named): (&str, &str, Option<String>),
        credential: SharedCredential,
        signals: Arc<RunnerSignals>,
    ) -> Self {
        Self { url: named.unwrap_or_else(|| connection_url(plane, runner)), credential, signals }
    }

    /// Opens the connection again and again, until it is dropped.
    pub async fn run(&self) -> std::convert::Infallible {
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            match self.open().await {
                Ok(socket) => {
                    tracing::debug!("the connection for signals is open");
                    self.signals.set_connected(true);
                    let error = listen(socket, &self.signals).await;
                    self.signals.set_connected(false);
                    tracing::debug!(error, "the connection for signals has ended");
                }
                Err(error) => {
                    tracing::debug!(error, "the connection for signals cannot be opened; claims wait instead");
                }
            }
            if begun.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            // Many runners may have lost their connections at once.
            sleep(pause.mul_f64(rand::rng().random_range(0.5..1.0))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn open(&self) -> Result<Socket, String> {
        let mut request = self.url.as_str().into_client_request().map_err(|error| error.to_string())?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.credential.current()))
            .map_err(|error| error.to_string())?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        let config = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
        let opened = timeout(OPENING, connect_async_with_config(request, Some(config), true)).await;
        let (socket, _) = opened.map_err(|_| "no answer in time".to_owned())?.map_err(|error| describe(&error))?;
        Ok(socket)
    }
}

/// Receives signals until the connection ends. Returns why it did.
async fn listen(mut socket: Socket, signals: &RunnerSignals) -> String {
    let mut pings = interval(PING);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            message = timeout(SILENCE.saturating_sub(heard.elapsed()), socket.next()) => match message {
                Ok(Some(Ok(Message::Text(frame)))) => signals.receive(&frame),
                Ok(Some(Ok(Message::Close(frame)))) => return format!("closed: {frame:?}"),
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return error.to_string(),
                Ok(None) => return "closed".to_owned(),
                Err(_) => return format!("silent for {} s", SILENCE.as_secs()),
            },
            _ = pings.tick() => {
                match timeout(OPENING, socket.send(Message::Ping(bytes::Bytes::new()))).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => return error.to_string(),
                    Err(_) => return "a ping cannot be written".to_owned(),
                }
            }
        }
        heard = Instant::now();
    }
}

/// The connection of a control plane that has it where its API is.
fn connection_url(plane: &str, runner: &str) -> String {
    format!("{}/ws/runners/{runner}", plane.trim_end_matches('/').replacen("http", "ws", 1))
}

fn describe(error: &Error) -> String {
    match error {
        Error::Http(response) => format!("refused with status {}", response.status()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_is_where_the_api_is_unless_another_place_is_named() {
        assert_eq!(connection_url("http://127.0.0.1:8000/", "7"), "ws://127.0.0.1:8000/ws/runners/7");
        assert_eq!(connection_url("https://ioc.example.com", "7"), "wss://ioc.example.com/ws/runners/7");
        let credential = SharedCredential::new("credential".to_owned());
        let named = Some("wss://live.example.com/live?runner=7".to_owned());
        let connection =
            SignalConnection::new(("https://ioc.example.com", "7", named.clone()), credential, Arc::default());
        assert_eq!(Some(connection.url), named);
    }
}
