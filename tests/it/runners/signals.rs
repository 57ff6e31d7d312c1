//! The signals for runners: a WebSocket says when there is something to ask for.

use std::sync::Arc;

use axum::http::StatusCode;
use functions::live::gateway::handle_event;
use harness::{
    Options, TestApp,
    runner::TestRunner,
    websocket::{Served, Socket},
};
use runner::control_plane::{RunnerSignals, SharedCredential, SignalConnection};
use serde_json::{Value, json};
use shared::{
    events::stream::{
        ConnectionBackend,
        gateway::{ApiGatewayClient, ApiGatewaySettings, signal_runners},
    },
    identity::auth::Role,
    platform::{
        notification::RunnerSignal,
        queue::{
            Limits, MemoryQueue, Queue,
            job::{JobOutcome, QueueName},
        },
    },
};

async fn connect(server: &Served, runner: &TestRunner, credential: &str) -> Result<Socket, StatusCode> {
    server.connect(&format!("/ws/runners/{}", runner.id), Some(credential)).await
}

/// A connection whose subscription is active: everything after it is signalled.
async fn open(server: &Served, runner: &TestRunner) -> Socket {
    let mut socket = connect(server, runner, &runner.credential).await.expect("it is let in");
    // The first is sent at once, the second when the process has subscribed at Redis.
    for _ in 0..2 {
        assert_eq!(socket.any().await, Ok(json!({"type": "refresh"})));
    }
    socket
}

#[tokio::test]
async fn a_runner_is_signalled_that_a_task_waits_and_that_a_person_has_spoken() {
    let world = TestApp::new().await;
    let server = Served::of(&world).await;
    let (caller, runner) = (world.caller(Role::Member), world.runner("farm", "one").await);
    let other = world.runner("elsewhere", "two").await;
    let (mut socket, mut others) =
        (open(&server, &runner).await, connect(&server, &other, &other.credential).await.unwrap());
    let session = runner.session(&caller).await;
    let available = json!({"type": "task_available", "agent_id": runner.agents["opencode"]});
    assert_eq!(socket.any().await, Ok(available));
    let task = runner.task().await;
    caller.post(&format!("/sessions/{session}/messages"), json!({"text": "Use the new parser."})).await.expect(202);
    let changed = json!({"type": "task_changed", "task_id": task["task_id"]});
    assert_eq!(socket.any().await, Ok(changed.clone()));
    let report = runner.progress(&task, json!({"seq": 1})).await.expect(200);
    assert_eq!(report["messages"][0]["text"], "Use the new parser.");
    caller.act(&format!("/sessions/{session}/stop")).await.expect(202);
    assert_eq!(socket.any().await, Ok(changed));
    assert_eq!(runner.progress(&task, json!({"seq": 2})).await.expect(200)["cancel"], true);
    assert_eq!(others.any().await, Ok(json!({"type": "refresh"})), "nothing of it concerns another pool");
    assert_eq!(world.caller(Role::Lead).delete(&format!("/api/v1/runners/{}", other.id)).await.status, 204);
    assert_eq!(others.cut().await, Some(1000), "a removed runner has no connection");
    world.may_leave_work("the runner keeps its task");
}

#[tokio::test]
async fn signals_are_for_the_runner_itself_and_for_its_newest_connection() {
    let world = TestApp::idle(Options::default()).await;
    let server = Served::of(&world).await;
    let (runner, other) = (world.runner("farm", "one").await, world.runner("farm", "two").await);
    for (credential, expected) in [
        (other.credential.as_str(), StatusCode::NOT_FOUND),
        ("iocc_wrong", StatusCode::UNAUTHORIZED),
        (world.tenant.key(Role::Admin), StatusCode::FORBIDDEN),
    ] {
        let refused = connect(&server, &runner, credential).await.err();
        assert_eq!(refused, Some(expected), "{credential}");
    }
    let mut first = open(&server, &runner).await;
    let _second = connect(&server, &runner, &runner.credential).await.unwrap();
    assert_eq!(first.cut().await, Some(1000));
}

#[tokio::test]
async fn the_client_of_a_runner_asks_again_whenever_its_connection_was_opened() {
    let world = TestApp::idle(Options::default()).await;
    let server = Served::of(&world).await;
    let runner = world.runner("farm", "one").await;
    let signals = Arc::<RunnerSignals>::default();
    let credential = SharedCredential::new(runner.credential.clone());
    let url = format!("http://{}", server.addr);
    let connection = SignalConnection::new((&url, &runner.id, None), credential, signals.clone());
    let mut available = signals.watch_agent(&runner.agents["opencode"]);
    let follow = async {
        available.changed().await.unwrap();
        assert!(signals.is_connected());
        // A second connection ends that of the client, which opens another one.
        let mut taken = connect(&server, &runner, &runner.credential).await.unwrap();
        while signals.is_connected() {
            available.changed().await.unwrap();
        }
        while !signals.is_connected() {
            available.changed().await.unwrap();
        }
        assert_eq!(taken.cut().await, Some(1000));
    };
    tokio::select! {
        () = follow => {}
        never = connection.run() => match never {},
    }
}

fn event(kind: &str, connection: &str, runner: &TestRunner, credential: &str) -> Value {
    json!({
        "requestContext": {"eventType": kind, "connectionId": connection},
        "headers": {"Authorization": format!("Bearer {credential}")},
        "queryStringParameters": {"runner": runner.id},
    })
}

#[tokio::test]
async fn api_gateway_holds_the_connection_of_a_runner_and_a_job_sends_its_signals() {
    let nowhere = ApiGatewaySettings { endpoint: "http://127.0.0.1:9".to_owned(), region: "eu-central-1".to_owned() };
    let push = ConnectionBackend::ApiGateway(ApiGatewayClient::new(nowhere));
    let queue = Queue::Memory(MemoryQueue::new(Limits::default()));
    let world = TestApp::idle(Options { push, queue: Some(queue.clone()), ..Options::default() }).await;
    world.may_leave_work("no worker sends the signals");
    let (app, runner) = (&world.app, world.runner("farm", "one").await);
    let other = world.runner("farm", "two").await;
    let signal = RunnerSignal::TaskAvailable { agent_id: runner.agents["opencode"].parse().unwrap() };
    let jobs = async || {
        app.task_notifier.send_signal(signal).await;
        queue.depth(QueueName::Broadcast).await.unwrap().ready
    };
    let before = jobs().await;
    assert_eq!(jobs().await, before, "no runner has a connection");
    let status = async |event| handle_event(app, event).await.status_code;
    assert_eq!(status(event("CONNECT", "one", &runner, &other.credential)).await, 404);
    assert_eq!(status(event("CONNECT", "one", &runner, "iocc_wrong")).await, 401);
    assert_eq!(jobs().await, before);
    assert_eq!(status(event("CONNECT", "one", &runner, &runner.credential)).await, 200);
    assert_eq!(jobs().await, before + 1);
    // Nobody listens at the address of API Gateway: the runner polls, and the job is done all the same.
    assert!(matches!(signal_runners(app, signal).await, Ok(JobOutcome::Complete)));
    assert_eq!(
        status(json!({"requestContext": {"eventType": "MESSAGE", "connectionId": "one"}, "body": "x"})).await,
        200
    );
    assert_eq!(status(event("CONNECT", "two", &runner, &runner.credential)).await, 200);
    assert_eq!(status(json!({"requestContext": {"eventType": "DISCONNECT", "connectionId": "one"}})).await, 200);
    assert_eq!(jobs().await, before + 2, "its newer connection stays");
    assert_eq!(status(json!({"requestContext": {"eventType": "DISCONNECT", "connectionId": "two"}})).await, 200);
    let removed = signal_runners(app, signal).await;
    assert!(matches!(removed, Ok(JobOutcome::Complete)), "{removed:?}");
    assert_eq!(jobs().await, before + 2, "it has no connection any more");
}

#[tokio::test]
async fn a_runner_is_informed_where_its_signals_are() {
    let address = ApiGatewaySettings {
        endpoint: "https://abc.execute-api.eu-central-1.example.com/live".to_owned(),
        region: "eu-central-1".to_owned(),
    };
    let push = ConnectionBackend::ApiGateway(ApiGatewayClient::new(address));
    for (push, expected) in
        [(Options::default().push, None), (push, Some("wss://abc.execute-api.eu-central-1.example.com/live?runner="))]
    {
        let world = TestApp::idle(Options { push, ..Options::default() }).await;
        let token = world.enrolment_of(&world.tenant, "farm", "one").await;
        let body = harness::runner::registration("one", &["opencode"]);
        let made = world.bearer(&token).post("/api/v1/runners/register", body).await.expect(201);
        let expected = expected.map(|url| format!("{url}{}", made["runner_id"].as_str().unwrap()));
        assert_eq!(made["signals_url"], json!(expected));
    }
}
