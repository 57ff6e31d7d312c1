//! The tools of a session over HTTP, as agents call them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test that uses them")]

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode, header};
use runner::mcp::{SERVER_PATH, ToolAccess, ToolCall, build_tool_routes};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time::timeout};

const PATIENCE: Duration = Duration::from_secs(20);

/// The tools of one session, and their calls.
struct Tools {
    access: ToolAccess,
    calls: mpsc::Receiver<ToolCall>,
    client: Client,
    _serving: JoinSet<()>,
}

impl Tools {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let access = ToolAccess::create(&format!("http://{}", listener.local_addr().unwrap()));
        let (sender, calls) = mpsc::channel(8);
        let routes = build_tool_routes(&access, sender);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { access, calls, client: Client::new(), _serving: serving }
    }

    fn request(&self, token: &str, method: &str, params: &Value) -> RequestBuilder {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self.client.post(&self.access.url).json(&body);
        request.bearer_auth(token).header(header::ACCEPT, "application/json, text/event-stream")
    }

    /// Calls a tool in a task of its own, and returns the text of its result and whether it is an error.
    fn call(&self, tool: &str, arguments: &Value) -> JoinSet<(String, bool)> {
        let request = self.request(&self.access.token, "tools/call", &json!({"name": tool, "arguments": arguments}));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let answer = read_answer(request).await;
            let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
            (text, answer["result"]["isError"] == true)
        });
        tasks
    }

    async fn next(&mut self) -> ToolCall {
        timeout(PATIENCE, self.calls.recv()).await.expect("a call arrives").unwrap()
    }
}

/// The message in a stream of server-sent events.
async fn read_answer(request: RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    let data = text.lines().find_map(|line| line.strip_prefix("data:").filter(|data| data.contains("jsonrpc")));
    serde_json::from_str(data.unwrap_or(&text)).unwrap()
}

async fn end_of(mut tasks: JoinSet<(String, bool)>) -> (String, bool) {
    timeout(PATIENCE, tasks.join_next()).await.expect("the call ends").unwrap().unwrap()
}

#[tokio::test]
async fn a_client_finds_all_tools() {
    let tools = Tools::start().await;
    let version =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let started = read_answer(tools.request(&tools.access.token, "initialize", &version)).await;
    assert_eq!(started["result"]["serverInfo"]["name"], "ioc");
    let listed = read_answer(tools.request(&tools.access.token, "tools/list", &json!({}))).await;
    let names: Vec<_> = listed["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["ask_person", "attach", "spawn_session", "wait_for"]);
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_calls_nothing() {
    let mut tools = Tools::start().await;
    let other = Tools::start().await;
    for token in ["", "wrong", &other.access.token] {
        let params = json!({"name": "ask_person", "arguments": {"question": "Which?"}});
        let answer = tools.request(token, "tools/call", &params).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{token:?}");
    }
    let answer = tools.client.post(&tools.access.url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "without a token");
    assert!(tools.calls.try_recv().is_err());
    assert!(tools.access.url.ends_with(SERVER_PATH) && !format!("{:?}", tools.access).contains(&tools.access.token));
}

#[tokio::test]
async fn two_questions_at_once_get_each_its_own_answer() {
    let mut tools = Tools::start().await;
    let colour = tools.call("ask_person", &json!({"question": "colour", "options": ["red", "blue"]}));
    let shape = tools.call("ask_person", &json!({"question": "shape"}));
    for _ in 0..2 {
        let ToolCall::AskPerson { asked, reply } = tools.next().await else { panic!() };
        let answer = if asked.question == "colour" { Ok("blue".to_owned()) } else { Err("nobody knows".to_owned()) };
        reply.send(answer).unwrap();
    }
    assert_eq!(end_of(colour).await, ("blue".to_owned(), false));
    assert_eq!(end_of(shape).await, ("nobody knows".to_owned(), true));
}

#[tokio::test]
async fn sessions_are_created_and_waited_for_by_calls_of_their_own() {
    let mut tools = Tools::start().await;
    let created = tools.call("spawn_session", &json!({"prompt": "Do a part.", "title": "A part"}));
    let ToolCall::SpawnSession { asked, reply } = tools.next().await else { panic!() };
    assert_eq!((asked.prompt.as_str(), asked.title.as_deref()), ("Do a part.", Some("A part")));
    reply.send(Ok("it was created".to_owned())).unwrap();
    assert_eq!(end_of(created).await, ("it was created".to_owned(), false));
    let waited = tools.call("wait_for", &json!({}));
    let ToolCall::WaitFor { awaited, reply } = tools.next().await else { panic!() };
    assert!(awaited.sessions.is_empty());
    reply.send(Ok("all are over".to_owned())).unwrap();
    assert_eq!(end_of(waited).await, ("all are over".to_owned(), false));
}

#[tokio::test]
async fn a_call_whose_client_disconnects_waits_no_longer() {
    let mut tools = Tools::start().await;
    let call = tools.call("ask_person", &json!({"question": "colour"}));
    let ToolCall::AskPerson { mut reply, .. } = tools.next().await else { panic!() };
    drop(call);
    timeout(PATIENCE, reply.closed()).await.expect("nobody waits for the answer");
}

#[tokio::test]
async fn wrong_arguments_and_unknown_tools_are_results_that_a_model_can_read() {
    let mut tools = Tools::start().await;
    let (text, is_error) = end_of(tools.call("ask_person", &json!({"text": "colour"}))).await;
    assert!(is_error && text.contains("unknown field `text`"), "{text}");
    let (text, is_error) = end_of(tools.call("spawn", &json!({}))).await;
    assert!(is_error && text.contains("use one of ask_person, attach, spawn_session, wait_for"), "{text}");
    assert!(tools.calls.try_recv().is_err());
}

#[tokio::test]
async fn a_call_fails_once_the_session_is_over() {
    let mut tools = Tools::start().await;
    let waiting = tools.call("attach", &json!({"path": "a", "title": "A"}));
    drop(tools.next().await);
    assert_eq!(end_of(waiting).await, ("the session is over".to_owned(), true));
    tools.calls.close();
    let late = tools.call("attach", &json!({"path": "a", "title": "A"}));
    assert_eq!(end_of(late).await, ("the session is over".to_owned(), true));
}
