//! The endpoint of a push agent: records every call, and responds as the test decides.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use shared::agents::eap::server::sign::verify_signature;
use tokio::{net::TcpListener, task::JoinSet};

use crate::Options;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The end of its path: task, message or cancel.
    pub verb: String,
    pub id: String,
    timestamp: i64,
    signature: String,
    pub body: Bytes,
}

impl Call {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn is_signed_with(&self, secret: &str) -> bool {
        verify_signature(secret, &self.id, self.timestamp, &self.body, &self.signature)
    }
}

/// The response to a call.
pub enum Answer {
    Status(u16, String),
    Redirect(String),
    /// After a while.
    Late(Duration, u16, String),
}

type Script = dyn Fn(&Call, usize) -> Answer + Send + Sync;

/// A running endpoint.
pub struct Endpoint {
    pub url: String,
    place: String,
    calls: Arc<Mutex<Vec<Call>>>,
    _server: JoinSet<()>,
}

#[derive(Clone)]
struct Shared {
    calls: Arc<Mutex<Vec<Call>>>,
    script: Arc<Script>,
    /// Whether the script answers pings too.
    scripts_pings: bool,
}

impl Endpoint {
    /// Answers by the call and by how many of its kind came before. A ping is answered with 200.
    pub async fn start(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(Arc::new(script), false).await
    }

    /// As [`Endpoint::start`], but the script answers pings too.
    pub async fn start_with_pings(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(Arc::new(script), true).await
    }

    async fn serve(script: Arc<Script>, scripts_pings: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let place = listener.local_addr().expect("its address").to_string();
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let shared = Shared { calls: calls.clone(), script, scripts_pings };
        let routes = axum::Router::new().fallback(answer).with_state(shared);
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { url: format!("http://{place}"), place, calls, _server: server }
    }

    /// Takes every task and says nothing more.
    pub async fn accepting() -> Self {
        Self::start(|_, _| Answer::Status(202, String::new())).await
    }

    /// Options of a test app that may call it.
    pub fn options(&self) -> Options {
        let mut options = Options::default();
        options.settings.outbound = self.place.parse().expect("a place");
        options.settings.public_url = Some("https://ioc.example.com".into());
        options
    }

    pub fn calls(&self, verb: &str) -> Vec<Call> {
        let calls = self.calls.lock().expect("nobody panics with it");
        calls.iter().filter(|call| call.verb == verb).cloned().collect()
    }

    /// Waits for so many calls of a kind, and answers them.
    pub async fn called(&self, verb: &str, times: usize) -> Vec<Call> {
        crate::until(async || self.calls(verb).len() >= times).await;
        self.calls(verb)
    }
}

async fn answer(State(shared): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let call = Call {
        verb: uri.path().rsplit('/').next().unwrap_or_default().to_owned(),
        id: text("webhook-id"),
        timestamp: text("webhook-timestamp").parse().unwrap_or_default(),
        signature: text("webhook-signature"),
        body,
    };
    let before = {
        let mut calls = shared.calls.lock().expect("nobody panics with it");
        let before = calls.iter().filter(|one| one.verb == call.verb).count();
        calls.push(call.clone());
        before
    };
    let plain = |status: u16, body: String| (StatusCode::from_u16(status).expect("a status"), body).into_response();
    if call.verb == "ping" && !shared.scripts_pings {
        return plain(200, "{}".to_owned());
    }
    match (shared.script)(&call, before) {
        Answer::Status(status, body) => plain(status, body),
        Answer::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Answer::Late(pause, status, body) => {
            tokio::time::sleep(pause).await;
            plain(status, body)
        }
    }
}
