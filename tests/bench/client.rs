//! Clients that keep their connection, lean enough not to be what is measured: plain HTTP/1.1 over a socket each.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use shared::kernel::id::RequestId;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::figure::Samples;

/// Whom to ask, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    pub(crate) tenant: String,
    /// Whether everything but a GET carries an idempotency key of its own.
    pub(crate) once: bool,
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    place: Place,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(place: &Place) -> Result<Self> {
        let stream = TcpStream::connect(place.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, place: place.clone(), buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Calls with another key or token from now on.
    pub(crate) fn becomes(&mut self, key: &str) {
        key.clone_into(&mut self.place.key);
    }

    /// Sends a request and reads the whole answer; anything but success is an error.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &str) -> Result<&[u8]> {
        let Place { address, key, tenant, once } = &self.place;
        let once =
            if *once && method != "GET" { format!("idempotency-key: {}\r\n", RequestId::new()) } else { String::new() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\nx-tenant-id: {tenant}\r\n{once}\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let text = std::str::from_utf8(&self.buffer[..head])?;
        let success = text.starts_with("HTTP/1.1 2");
        let mut headers = text.lines().filter_map(|line| line.split_once(": "));
        let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = match length {
            None if text.starts_with("HTTP/1.1 204") => 0,
            length => length.context("an answer without its length")?.1.parse()?,
        };
        while self.buffer.len() < head + length {
            self.more().await?;
        }
        if !success {
            bail!("{method} {path}: {}", String::from_utf8_lossy(&self.buffer));
        }
        Ok(&self.buffer[head..])
    }

    pub(crate) async fn json(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        Ok(serde_json::from_slice(self.send(method, path, body).await?)?)
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the connection was closed");
        }
        Ok(())
    }
}

/// What several clients did in some time.
pub(crate) struct Run {
    /// How long each request took, in milliseconds.
    pub(crate) each: Samples,
    pub(crate) per_second: f64,
}

/// A request: method, path, body.
pub(crate) type Request = (&'static str, String, String);

/// Lets `clients` send requests one after the other, for `time` or until there are none.
pub(crate) async fn run(
    place: &Place,
    clients: usize,
    time: Duration,
    next: impl Fn() -> Option<Request> + Clone + Send + 'static,
) -> Result<Run> {
    let mut tasks = JoinSet::new();
    let mut connected = Vec::new();
    for _ in 0..clients {
        connected.push(Client::connect(place).await?);
    }
    let began = Instant::now();
    for mut client in connected {
        let next = next.clone();
        tasks.spawn(async move {
            let mut each = Samples::default();
            while began.elapsed() < time
                && let Some((method, path, body)) = next()
            {
                let sent = Instant::now();
                client.send(method, &path, &body).await?;
                each.push(millis(sent.elapsed()));
            }
            anyhow::Ok(each)
        });
    }
    let mut each = Samples::default();
    while let Some(done) = tasks.join_next().await {
        each.extend(done??);
    }
    let per_second = rate(each.len(), began.elapsed());
    Ok(Run { each, per_second })
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
