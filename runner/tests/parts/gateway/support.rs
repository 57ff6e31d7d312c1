//! A provider that answers as instructed, a gateway in front of it, and a client that speaks to a Unix socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::{
    future::IntoFuture,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Response},
};
use futures_util::{StreamExt, stream};
use runner::gateway::{
    Credential, Gateway, GatewayEvent, GatewaySpec, ModelAllowList, ModelCall, Protocol, Provider, ProviderKey,
    build_upstream_client,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, UnixStream},
    sync::{Notify, mpsc},
    task::JoinSet,
};

/// The answer of a provider.
#[derive(Clone)]
pub(crate) struct Provided {
    status: u16,
    headers: Vec<(String, String)>,
    chunks: Vec<Bytes>,
    gate: Option<Arc<Notify>>,
}

impl Provided {
    /// Server-sent events, each in a chunk of its own.
    pub(crate) fn stream(events: &[&str]) -> Self {
        let chunks = events.iter().map(|event| Bytes::copy_from_slice(event.as_bytes())).collect();
        Self { status: 200, headers: vec![("content-type".into(), "text/event-stream".into())], chunks, gate: None }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = [("content-type", "application/json"), ("x-request-id", "r1"), ("set-cookie", "a=b")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { status, headers, chunks: vec![body.to_string().into()], gate: None }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits for a notification before each chunk but the first.
    pub(crate) fn held_by(mut self, gate: Arc<Notify>) -> Self {
        self.gate = Some(gate);
        self
    }
}

/// A request as the provider received it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Clone)]
struct Server {
    provided: Provided,
    asked: Arc<Mutex<Vec<Asked>>>,
}

async fn provide(State(server): State<Server>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    server.asked.lock().unwrap().push(Asked { uri: parts.uri.to_string(), headers: parts.headers, body });
    let Provided { status, headers, chunks, gate } = server.provided;
    let chunks = stream::iter(chunks.into_iter().enumerate()).then(move |(at, chunk)| {
        let gate = gate.clone().filter(|_| at > 0);
        async move {
            if let Some(gate) = gate {
                gate.notified().await;
            }
            Ok::<_, std::io::Error>(chunk)
        }
    });
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from_stream(chunks)).unwrap()
}

/// A gateway in front of one provider that speaks all protocols.
pub(crate) struct Setup {
    gateway: Option<Gateway>,
    socket: PathBuf,
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    events: mpsc::UnboundedReceiver<GatewayEvent>,
    _folder: tempfile::TempDir,
    _serving: JoinSet<()>,
}

/// A setup that is not started yet.
pub(crate) struct Builder {
    provided: Provided,
    models: ModelAllowList,
    is_gone: bool,
}

impl Builder {
    pub(crate) fn with_models(mut self, models: ModelAllowList) -> Self {
        self.models = models;
        self
    }

    /// The provider has ended before the first call.
    pub(crate) fn without_provider(mut self) -> Self {
        self.is_gone = true;
        self
    }
}

impl IntoFuture for Builder {
    type Output = Setup;
    type IntoFuture = Pin<Box<dyn Future<Output = Setup> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Setup::build(self))
    }
}

impl Setup {
    pub(crate) fn start(provided: Provided) -> Builder {
        Builder { provided, models: ModelAllowList::All, is_gone: false }
    }

    async fn build(builder: Builder) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let server = Server { provided: builder.provided, asked: asked.clone() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        if !builder.is_gone {
            let router = Router::new().fallback(provide).with_state(server);
            serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("gateway.sock");
        let (sender, events) = mpsc::unbounded_channel();
        let key = || ProviderKey::new("sk-provider");
        let provider = |protocols: &[Protocol], credential| Provider {
            name: "real".into(),
            base_url: url.clone(),
            protocols: protocols.to_vec(),
            credential,
            models: builder.models.clone(),
        };
        let providers = vec![
            provider(&[Protocol::ChatCompletions, Protocol::Responses], Credential::Bearer(key())),
            provider(&[Protocol::Messages], Credential::ApiKey(key())),
            provider(&[Protocol::Gemini], Credential::GoogleKey(key())),
        ];
        let client = build_upstream_client().unwrap();
        let gateway = Gateway::start(GatewaySpec {
            socket: socket.clone(),
            providers,
            client,
            events: sender,
            routes: Router::new(),
        });
        Self { gateway: Some(gateway.unwrap()), socket, url, asked, events, _folder: folder, _serving: serving }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn provider_url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn drop_gateway(&mut self) {
        self.gateway = None;
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        call(&self.socket, "POST", path, &[], body.to_string().as_bytes()).await
    }

    pub(crate) async fn begin(&self, path: &str, body: &Value) -> AnswerStream {
        let stream = UnixStream::connect(&self.socket).await.unwrap();
        begin(stream, "POST", path, &[], body.to_string().as_bytes()).await
    }

    /// The latest request that the provider received.
    pub(crate) fn asked(&self) -> Asked {
        self.asked.lock().unwrap().pop().expect("the provider was not asked")
    }

    pub(crate) fn provider_calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) async fn next_event(&mut self) -> GatewayEvent {
        let event = tokio::time::timeout(Duration::from_secs(5), self.events.recv()).await;
        event.expect("no event").expect("the gateway has ended")
    }

    pub(crate) async fn next_call(&mut self) -> ModelCall {
        loop {
            if let GatewayEvent::ModelCall(call) = self.next_event().await {
                return call;
            }
        }
    }
}

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An answer that is read chunk by chunk, as HTTP/1.1 frames them.
pub(crate) struct AnswerStream {
    pub(crate) status: u16,
    headers: HeaderMap,
    reader: BufReader<Box<dyn tokio::io::AsyncRead + Send + Unpin>>,
    _writer: Box<dyn tokio::io::AsyncWrite + Send + Unpin>,
}

impl AnswerStream {
    /// None at the end, or where the connection was interrupted.
    pub(crate) async fn next_chunk(&mut self) -> Option<Vec<u8>> {
        let mut size = String::new();
        self.reader.read_line(&mut size).await.ok()?;
        let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).ok()? + 2];
        self.reader.read_exact(&mut chunk).await.ok()?;
        chunk.truncate(chunk.len() - 2);
        (!chunk.is_empty()).then_some(chunk)
    }
}

/// Sends a request over a Unix socket, with the path and headers exactly as given, and reads the whole answer.
pub(crate) async fn call(socket: &Path, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let stream = UnixStream::connect(socket).await.unwrap();
    let mut answer = begin(stream, method, path, headers, body).await;
    let mut content = Vec::new();
    match answer.headers.get("content-length") {
        Some(length) => {
            content.resize(length.to_str().unwrap().parse().unwrap(), 0);
            answer.reader.read_exact(&mut content).await.unwrap();
        }
        None => {
            while let Some(chunk) = answer.next_chunk().await {
                content.extend(chunk);
            }
        }
    }
    Answer { status: answer.status, headers: answer.headers, body: content }
}

async fn begin(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> AnswerStream {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: gateway\r\ncontent-length: {}\r\n", body.len());
    head.extend(headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    writer.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses a large body may stop reading it.
    let _ = writer.write_all(body).await;
    let mut reader: BufReader<Box<dyn tokio::io::AsyncRead + Send + Unpin>> = BufReader::new(Box::new(reader));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in lines[1..].iter().filter_map(|line| line.split_once(": ")) {
        let name: axum::http::HeaderName = name.parse().unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    AnswerStream { status, headers, reader, _writer: Box::new(writer) }
}
