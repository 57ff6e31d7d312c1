//! A proxy on its socket, and servers on the loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::{net::SocketAddr, path::Path, time::Duration};

use runner::egress::{AddressGuard, DeniedConnection, EgressPolicy, EgressProxy, EgressSpec};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

/// How long anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy that permits the loopback of the machine, unless it is asked not to.
pub(crate) struct ProxyFixture {
    pub(crate) proxy: EgressProxy,
    pub(crate) denied: mpsc::UnboundedReceiver<DeniedConnection>,
    _folder: tempfile::TempDir,
}

impl ProxyFixture {
    pub(crate) fn start(policy: EgressPolicy) -> Self {
        Self::start_with_guard(policy, guard(&["127.0.0.0/8"]))
    }

    pub(crate) fn start_with_guard(policy: EgressPolicy, guard: AddressGuard) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (denials, denied) = mpsc::unbounded_channel();
        let spec = EgressSpec { socket: folder.path().join("egress.sock"), policy, guard, denials };
        Self { proxy: EgressProxy::start(spec).unwrap(), denied, _folder: folder }
    }

    pub(crate) fn socket(&self) -> &Path {
        self.proxy.socket()
    }

    /// Sends bytes and reads the answer to its end.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.socket()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        read_all(&mut stream).await
    }

    /// Opens a tunnel. Returns the first line of the answer as well.
    pub(crate) async fn open_tunnel(&self, destination: &str) -> (String, UnixStream) {
        let mut stream = UnixStream::connect(self.socket()).await.unwrap();
        stream.write_all(format!("CONNECT {destination} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
        }
        let line = String::from_utf8(head).unwrap().lines().next().unwrap().to_owned();
        (line, stream)
    }
}

pub(crate) fn guard(blocks: &[&str]) -> AddressGuard {
    AddressGuard { permitted: blocks.iter().map(|block| block.parse().unwrap()).collect() }
}

pub(crate) async fn read_all(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("the connection ends");
    String::from_utf8(text).unwrap()
}

/// A server that answers each connection once the request has a certain end, and reports what it received.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    received: mpsc::UnboundedReceiver<String>,
    _serving: JoinSet<()>,
}

impl Server {
    /// `end` is the end of a request.
    pub(crate) async fn start(end: &'static str, answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, received) = mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer_once(stream, end, answer, sender.clone()));
            }
        });
        Self { address, received, _serving: serving }
    }

    pub(crate) async fn next_request(&mut self) -> String {
        timeout(PATIENCE, self.received.recv()).await.expect("a request").unwrap()
    }

    pub(crate) fn has_no_request(&mut self) -> bool {
        self.received.try_recv().is_err()
    }
}

async fn answer_once(mut stream: TcpStream, end: &str, answer: &str, sender: mpsc::UnboundedSender<String>) {
    let mut request = Vec::new();
    while !request.ends_with(end.as_bytes()) {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            break;
        }
    }
    let _ = sender.send(String::from_utf8(request).unwrap());
    let _ = stream.write_all(answer.as_bytes()).await;
}
