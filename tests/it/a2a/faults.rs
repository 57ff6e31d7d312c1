//! Agents that answer with anything but A2A.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Method, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use harness::{Options, TestApp, a2a};
use serde_json::{Value, json};
use shared::{
    agents::{
        a2a_client::{A2a, A2aClientSettings},
        contract::AgentRuntime,
    },
    identity::auth::Role,
    kernel::encryption::Pepper,
};
use tokio::{net::TcpListener, task::JoinSet};

use super::{prompt, runtime, settings};
use crate::ports::runtime::blank;

/// A server whose card is good and whose interface answers as `how` says.
struct Liar {
    place: String,
    _tasks: JoinSet<()>,
}

type How = Arc<dyn Fn(&Method, u32) -> Response + Send + Sync>;

impl Liar {
    /// Answers each call by its number.
    async fn new(how: impl Fn(u32) -> Response + Send + Sync + 'static) -> Self {
        Self::answering(move |_, call| how(call)).await
    }

    async fn answering(how: impl Fn(&Method, u32) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let calls = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let how: How = Arc::new(how);
        let api = Router::new().fallback(answer).with_state((place.clone(), how, calls));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { _ = axum::serve(listener, api).await });
        Self { place, _tasks: tasks }
    }

    fn card(&self) -> String {
        format!("http://{}/agent-card.json", self.place)
    }
}

/// An answer that is always the same.
type Answer = fn() -> Response;

type Held = (String, How, Arc<std::sync::atomic::AtomicU32>);

async fn answer(State((place, how, calls)): State<Held>, request: Request<Body>) -> Response {
    if request.uri().path() == "/agent-card.json" {
        let interface =
            json!({"url": format!("http://{place}/a2a"), "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"});
        return axum::Json(json!({"name": "Liar", "version": "1", "supportedInterfaces": [interface]})).into_response();
    }
    if request.method() == "GET" && request.uri().path() == "/a2a/tasks" {
        return axum::Json(json!({})).into_response();
    }
    how(request.method(), calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
}

fn task(state: &str) -> Value {
    json!({"id": "t", "contextId": "c", "status": {"state": state}})
}

/// The outcome of a session on such an agent.
async fn end(liar: &Liar) -> Value {
    let world = TestApp::with(Options { settings: settings(&liar.place), ..Options::default() }).await;
    world.a2a_agent(&world.tenant, "peer", &liar.card(), None).await;
    let member = world.caller(Role::Member);
    let fields = json!({"initial_prompt": prompt("write"), "agent_config": {"agent": "peer"}});
    let id = member.start_session(fields).await;
    member.reaches(&id, &["completed", "failed"]).await
}

#[tokio::test]
async fn garbage_a_redirect_and_an_endless_response_fail_with_their_reason() {
    let redirect = || (StatusCode::FOUND, [(header::LOCATION, "http://169.254.169.254/")]).into_response();
    let endless = || Body::from(vec![b'x'; 17 * 1024 * 1024]).into_response();
    let cases: [(Answer, &str); 5] = [
        (|| "no JSON".into_response(), "AGENT_PROTOCOL"),
        (|| axum::Json(json!({"task": {"id": 7}})).into_response(), "AGENT_PROTOCOL"),
        (redirect, "REDIRECT_REFUSED"),
        (endless, "ANSWER_TOO_LARGE"),
        (|| StatusCode::IM_A_TEAPOT.into_response(), "AGENT_REFUSED"),
    ];
    for (how, code) in cases {
        let session = end(&Liar::new(move |_| how()).await).await;
        assert_eq!(session["outcome"]["error"]["code"], code, "{session:#}");
    }
}

#[tokio::test]
async fn a_transient_failure_of_an_agent_is_retried() {
    let looks = std::sync::atomic::AtomicU32::new(0);
    let liar = Liar::answering(move |method, call| {
        if method == Method::POST {
            return if call == 0 {
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            } else {
                axum::Json(json!({"task": task("TASK_STATE_SUBMITTED")})).into_response()
            };
        }
        if looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            return StatusCode::BAD_GATEWAY.into_response();
        }
        let mut completed = task("TASK_STATE_COMPLETED");
        completed["artifacts"] = json!([{"artifactId": "a", "parts": [{"text": "Done."}]}]);
        axum::Json(completed).into_response()
    });
    let ended = end(&liar.await).await;
    assert_eq!(ended["status"], "completed", "{ended:#}");
}

#[tokio::test]
async fn a_task_that_the_agent_forgot_is_retried_and_then_failed() {
    let begun = || axum::Json(json!({"task": task("TASK_STATE_SUBMITTED")})).into_response();
    let liar = Liar::answering(
        move |method, _| if method == Method::POST { begun() } else { StatusCode::NOT_FOUND.into_response() },
    );
    let session = end(&liar.await).await;
    assert_eq!(session["outcome"]["error"]["code"], "TASK_LOST", "{session:#}");
}

#[tokio::test]
async fn an_agent_is_called_only_at_addresses_that_users_may_name() {
    let runtime = runtime("");
    for url in
        ["http://127.0.0.1:1/agent-card.json", "https://169.254.169.254/", "https://localhost/", "file:///etc/passwd"]
    {
        let assignment = shared::agents::contract::Assignment { agent: a2a::contact(url, None), ..blank() };
        let failure = runtime.dispatch(&assignment).await.unwrap_err();
        assert_eq!(failure.code, "URL_REFUSED", "{url}");
    }
    // A card may lie in the open and lead inside.
    let liar = Liar::new(|_| StatusCode::OK.into_response()).await;
    let inner = Router::new().fallback(|| async {
        let interface = json!({"url": "http://127.0.0.1:1/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"});
        axum::Json(json!({"supportedInterfaces": [interface]}))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { _ = axum::serve(listener, inner).await });
    let runtime = super::runtime(&format!("{place}, {}", liar.place));
    let agent = a2a::contact(&format!("http://{place}/agent-card.json"), None);
    let failure = runtime.dispatch(&shared::agents::contract::Assignment { agent, ..blank() }).await.unwrap_err();
    assert_eq!(failure.code, "URL_REFUSED");
}

#[tokio::test]
async fn an_agent_that_never_answers_times_out_and_frees_the_worker() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let settings = A2aClientSettings::new(place.parse().unwrap(), Pepper(Vec::new()), None);
    let runtime = A2a::new(A2aClientSettings { call_timeout: Duration::from_millis(200), ..settings });
    let agent = a2a::contact(&format!("http://{place}/agent-card.json"), None);
    let assignment = shared::agents::contract::Assignment { agent, ..blank() };
    let asked = tokio::time::timeout(Duration::from_mins(1), runtime.dispatch(&assignment)).await.expect("it ends");
    assert_eq!(asked.unwrap_err().code, "AGENT_UNREACHABLE");
}
