//! An agent on the official Python SDK of A2A, and its client: started once per test process, and gone with it.

use std::{
    path::PathBuf,
    process::{Child, Stdio},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use shared::{
    agents::{
        a2a_client::{self, A2a},
        contract::AgentRuntime,
        registry::{AgentEndpoint, Kind, secret},
    },
    app::Settings,
    kernel::{
        encryption::Pepper,
        id::{AgentId, TenantId},
    },
};

use crate::{
    PATIENCE, PEPPER, Reply, Tenant, TestApp,
    child_process::{free_port, kept, root, test_program},
};

/// A running agent.
pub struct Peer {
    /// Where it answers, such as `http://127.0.0.1:34567`.
    pub url: String,
    /// `127.0.0.1:34567`.
    pub place: String,
    _keeper: Child,
}

/// The Python of the virtual environment of the tests.
pub fn python() -> PathBuf {
    test_program("python", "TEST_PYTHON")
}

/// A script of the tests.
pub fn script(name: &str) -> PathBuf {
    root().join("tests/a2a").join(name)
}

/// The agent of this test process.
pub fn peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| {
        let port = free_port();
        let mut command = kept(&python());
        command.arg(script("agent.py")).arg(port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = command.spawn().expect("sh starts");
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the agent did not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        let place = format!("127.0.0.1:{port}");
        Peer { url: format!("http://{place}"), place, _keeper: keeper }
    })
}

/// How an agent of a tenant is reached whose card lies at this URL.
pub fn contact(card: &str, plain: Option<&str>) -> AgentEndpoint {
    let id = AgentId::new();
    AgentEndpoint {
        id,
        tenant_id: Some(TenantId::new()),
        name: "peer".to_owned(),
        kind: Kind::A2a,
        endpoint_url: Some(card.to_owned()),
        endpoint_secret: plain.map(|plain| sealed(id, plain)),
    }
}

/// The A2A runtime of a test app.
pub(crate) fn runtime(settings: &Settings) -> Arc<dyn AgentRuntime> {
    let (allowed, public_url) = (settings.outbound.clone(), settings.public_url.as_deref());
    Arc::new(A2a::new(a2a_client::A2aClientSettings::new(allowed, Pepper(PEPPER.as_bytes().to_vec()), public_url)))
}

fn sealed(id: AgentId, plain: &str) -> Vec<u8> {
    secret::seal_secret(&Pepper(PEPPER.as_bytes().to_vec()), id, plain.as_bytes()).expect("a secret is sealed")
}

impl TestApp {
    /// Registers an agent of a tenant whose card lies at this URL.
    pub async fn a2a_agent(&self, tenant: &Tenant, name: &str, card: &str, plain: Option<&str>) -> AgentId {
        let contact = contact(card, plain);
        let secret =
            contact.endpoint_secret.map_or_else(|| "null".to_owned(), |secret| format!("'\\x{}'", hex::encode(secret)));
        let (id, tenant) = (contact.id, tenant.id);
        let sql = format!(
            "insert into agents (id, tenant_id, name, kind, capacity, endpoint_url, endpoint_secret, created_at, updated_at)
             values ('{id}', '{tenant}', '{name}', 'a2a', 50, '{card}', {secret}, now(), now())"
        );
        self.superuser().await.run(&sql).await;
        id
    }
}

/// The protocol's statuses for our codes.
const REASONS: [(&str, u16, &str); 4] = [
    ("BODY_MALFORMED", 400, "PARSE_ERROR"),
    ("SESSION_NOT_FOUND", 404, "TASK_NOT_FOUND"),
    ("UNSUPPORTED_MEDIA_TYPE", 400, "CONTENT_TYPE_NOT_SUPPORTED"),
    ("VALIDATION_FAILED", 400, "INVALID_PARAMS"),
];

/// Converts an error in the protocol's format to a problem with this status and code.
#[track_caller]
pub(crate) fn problem(reply: Reply, kind: Option<&str>, status: u16, code: &str) -> Value {
    let (_, status, reason) = REASONS.into_iter().find(|(ours, ..)| *ours == code).unwrap_or((code, status, code));
    let body = reply.expect(status);
    let (error, reported) = (&body["error"], &body["error"]["details"][0]);
    assert_eq!(kind, Some("application/json"), "{body}");
    assert_eq!((&error["code"], &reported["reason"]), (&json!(status), &json!(reason)), "{body}");
    assert_eq!(reported["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
    assert!(error["status"].is_string() && reported["metadata"]["remedy"].is_string(), "{body}");
    json!({"status": status, "code": code, "detail": error["message"], "request_id": reported["metadata"]["requestId"]})
}
