//! The sessions of a tenant as an A2A agent: for the client of the official SDK, and for those who come otherwise.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    extract::Request,
    middleware::{Next, from_fn},
};
use harness::{Options, TestApp, a2a};
use serde_json::{Value, json};
use shared::{
    a2a::task_state,
    agents::a2a_client::push_notification,
    app::Settings,
    identity::{auth::Role, tenants::TenantLimits},
    kernel::id::SessionId,
    sessions::status::{PauseReason, Status},
};
use tokio::{net::TcpListener, process::Command, task::JoinSet};

pub(super) fn message(id: &str, text: &str) -> Value {
    json!({"message": {"messageId": id, "role": "ROLE_USER", "parts": [{"text": text}]}, "configuration": {"returnImmediately": true}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_sdk_can_use_everything_that_the_card_offers() {
    let world = TestApp::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let card = format!(
        "http://{}/api/v1/a2a/{}/.well-known/agent-card.json",
        listener.local_addr().unwrap(),
        world.tenant.slug
    );
    let (api, mut tasks) = (world.api.clone(), JoinSet::new());
    tasks.spawn(async move { _ = axum::serve(listener, api).await });
    let mut client = Command::new(a2a::python());
    client.arg(a2a::script("client.py")).arg(card).arg(world.tenant.key(Role::Member));
    let ended = client.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let reported = String::from_utf8_lossy(&ended.stdout);
    assert!(reported.contains("all good"), "{reported}\n{}", String::from_utf8_lossy(&ended.stderr));
}

#[tokio::test]
async fn the_card_is_public_and_names_only_what_is_offered() {
    let world = TestApp::idle(Options::default()).await;
    let path = |slug: &str| format!("/api/v1/a2a/{slug}/.well-known/agent-card.json");
    let nobody = world.nobody().with("host", "ioc.example.com");
    let card = nobody.get(&path(&world.tenant.slug)).await.expect(200);
    let base = format!("https://ioc.example.com/api/v1/a2a/{}", world.tenant.slug);
    let interface = |binding: &str| json!({"url": base, "protocolBinding": binding, "protocolVersion": "1.0"});
    assert_eq!(card["supportedInterfaces"], json!([interface("HTTP+JSON"), interface("JSONRPC")]));
    assert_eq!(
        (&card["capabilities"]["streaming"], &card["capabilities"]["pushNotifications"]),
        (&json!(true), &json!(false))
    );
    assert!(!card.to_string().contains(&world.tenant.id.to_string()));
    for unknown in ["nobody-here", "%00", "..", "A"] {
        nobody.get(&path(unknown)).await.problem(404, "TENANT_NOT_FOUND");
    }
    let other = world.another_tenant().await;
    nobody.get(&path(&other.slug)).await.expect(200);
    let place = format!("/api/v1/tenants/{}", other.id);
    world.caller(Role::Admin).patch(&place, json!({"is_active": false})).await.expect(200);
    let gone = nobody.get(&path(&other.slug)).await.problem(404, "TENANT_NOT_FOUND");
    let unknown = nobody.get(&path("nobody-here")).await.problem(404, "TENANT_NOT_FOUND");
    assert_eq!(gone["detail"], unknown["detail"], "deactivated and unknown are the same");
}

#[tokio::test]
async fn without_streaming_the_card_says_so_and_streaming_calls_are_refused() {
    let settings = Settings { streams: false, ..Options::default().settings };
    let world = TestApp::idle(Options { settings, ..Options::default() }).await;
    let member = world.caller(Role::Member);
    let card = member.get("/api/v1/a2a/{tenant}/.well-known/agent-card.json").await.expect(200);
    assert_eq!(card["capabilities"]["streaming"], false);
    let reply = member.post("/api/v1/a2a/{tenant}/message:stream", message("m", "Do it.")).await;
    reply.problem(400, "UNSUPPORTED_OPERATION");
    assert_eq!(member.get("/sessions").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn another_tenants_agent_is_answered_like_an_unknown_one() {
    let world = TestApp::idle(Options::default()).await;
    let theirs = world.another_tenant().await;
    let member = world.caller(Role::Member);
    let words = async |slug: &str| {
        let path = format!("/api/v1/a2a/{slug}/message:send");
        member.post(&path, message("m", "Do it.")).await.problem(404, "TENANT_NOT_FOUND")["detail"].clone()
    };
    assert_eq!(words(&theirs.slug).await, words("nobody-here").await);
    assert_eq!(world.caller_of(&theirs, Role::Member).get("/sessions").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn concurrent_copies_of_a_message_create_one_session() {
    let world = TestApp::idle(Options::default()).await;
    let member = world.caller(Role::Member);
    let path = "/api/v1/a2a/{tenant}/message:send";
    let sent = futures_util::future::join_all((0..8).map(|_| member.post(path, message("m1", "Do it.")))).await;
    let ids: std::collections::BTreeSet<_> =
        sent.into_iter().map(|reply| reply.expect(200)["task"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(member.get("/sessions").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let other = member.post(path, message("m1", "Do something else.")).await.expect(200);
    assert_ne!(other["task"]["id"], *ids.first().unwrap(), "another message is a message of its own");
    let session = member.session(ids.first().unwrap()).await;
    assert_eq!((&session["title"], &session["status"]), (&json!("Do it."), &json!("queued")));
    assert_eq!(session["metadata"]["a2a"]["message_id"], "m1");
}

#[tokio::test]
async fn an_unsupported_message_is_refused_with_the_errors_of_the_protocol() {
    let world = TestApp::idle(Options::default()).await;
    let member = world.caller(Role::Member);
    let path = "/api/v1/a2a/{tenant}/message:send";
    let with = |change: Value| {
        let mut body = message("m", "Do it.");
        body["message"].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for (change, code) in [
        (json!({"messageId": ""}), "VALIDATION_FAILED"),
        (json!({"parts": []}), "VALIDATION_FAILED"),
        (json!({"parts": [{"text": " "}]}), "VALIDATION_FAILED"),
        (json!({"parts": [{"text": "a\0"}]}), "VALIDATION_FAILED"),
        (json!({"role": 7}), "VALIDATION_FAILED"),
        (json!({"parts": [{"url": "https://example.com/x"}]}), "UNSUPPORTED_MEDIA_TYPE"),
        (json!({"parts": [{"raw": "/w==", "filename": "a.png"}]}), "UNSUPPORTED_MEDIA_TYPE"),
        (json!({"metadata": {"ioc": {"title": 7}}}), "VALIDATION_FAILED"),
        (json!({"metadata": {"ioc": {"sandbox": true}}}), "VALIDATION_FAILED"),
        (json!({"referenceTaskIds": ["no uuid"]}), "SESSION_NOT_FOUND"),
        (json!({"metadata": {"ioc": {"workspace": {"repository": "file:///etc"}}}}), "VALIDATION_FAILED"),
        (json!({"taskId": "no uuid"}), "SESSION_NOT_FOUND"),
    ] {
        member.post(path, with(change)).await.problem(422, code);
    }
    let stranger = member.with("a2a-version", "0.3");
    stranger.post(path, message("m", "Do it.")).await.problem(400, "VERSION_NOT_SUPPORTED");
    let asked = member.with("x-request-id", "build-42").get("/api/v1/a2a/{tenant}/tasks/none").await;
    assert_eq!(asked.problem(404, "SESSION_NOT_FOUND")["request_id"], "build-42");
    member.act(&format!("/api/v1/a2a/{{tenant}}/tasks/{}", SessionId::new())).await.problem(405, "METHOD_NOT_ALLOWED");
    for query in
        ["pageSize=0", "pageSize=x", "status=WALKING", "pageToken=7", "historyLength=-1", "statusTimestampAfter=noon"]
    {
        member.get(&format!("/api/v1/a2a/{{tenant}}/tasks?{query}")).await.problem(422, "VALIDATION_FAILED");
    }
    assert_eq!(member.get("/sessions").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_list_of_tasks_holds_no_more_than_four_mebibytes_of_files_in_all() {
    let world = TestApp::idle(Options::default()).await;
    let (member, owner) = (world.caller(Role::Member), world.superuser().await);
    for _ in 0..4 {
        let id = member.new_session(json!({})).await;
        let content = vec![b'x'; 200_000];
        let hash = world.app.files.put_content(world.tenant.id, id.parse().unwrap(), content).await.unwrap();
        let sql = format!(
            "insert into session_artifacts (tenant_id, session_id, id, path, mime_type, size, sha256, at)
             select tenant_id, id, gen_random_uuid(), n || '.txt', 'text/plain', 200000, '{hash}', now()
             from sessions, generate_series(1, 8) n where id = '{id}'"
        );
        owner.run(&sql).await;
    }
    let list = member.get("/api/v1/a2a/{tenant}/tasks?pageSize=100&includeArtifacts=true").await.expect(200);
    assert!(list.to_string().len() < 5_000_000, "{} bytes", list.to_string().len());
    let tasks = list["tasks"].as_array().unwrap();
    let artifacts: Vec<_> = tasks.iter().flat_map(|task| task["artifacts"].as_array().unwrap()).collect();
    let by_url = artifacts.iter().filter(|one| one["parts"][0]["url"].is_string()).count();
    assert!((1..artifacts.len()).contains(&by_url), "{by_url} of {} by URL", artifacts.len());
}

#[tokio::test]
async fn only_clear_words_count_as_an_approval() {
    let world = TestApp::new().await;
    let member = world.caller(Role::Member);
    let asks = json!([{"do": "ask", "question_id": "q1", "kind": "approval", "text": "May I?"}, {"do": "say", "text": "Done."}]);
    let id = member.run_script(asks).await;
    member.reaches(&id, &["paused"]).await;
    let path = "/api/v1/a2a/{tenant}/message:send";
    let answer = |message_id: &str, text: &str| {
        let mut body = message(message_id, text);
        body["message"]["taskId"] = json!(id);
        body
    };
    member.post(path, answer("m1", "Maybe.")).await.problem(422, "VALIDATION_FAILED");
    member.post(path, answer("m2", "approve")).await.expect(200);
    member.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn a_push_notification_needs_its_token_and_makes_the_next_observation_due() {
    let settings = Settings { public_url: Some("https://ioc.example.com".into()), ..Options::default().settings };
    let world = TestApp::idle(Options { settings, ..Options::default() }).await;
    let owner = world.superuser().await;
    let id = world.caller(Role::Member).run_script(json!([{"do": "wait", "ms": 60_000}])).await;
    owner.place(&id, "running").await;
    owner
        .run("update sessions set next_step_at = now() + interval '1 hour', handover = null, run_started_at = now()")
        .await;
    let session: SessionId = id.parse().unwrap();
    let path = push_notification::callback_path(world.tenant.id, session);
    let due = "select count(*) from sessions where next_step_at < now() + interval '1 minute'";
    let good = push_notification::callback_token(&world.app.pepper, world.tenant.id, session);
    let other = push_notification::callback_token(&world.app.pepper, world.tenant.id, SessionId::new());
    for wrong in ["", "x", &other] {
        world.nobody().with("x-a2a-notification-token", wrong).act(&path).await.problem(401, "UNAUTHENTICATED");
    }
    world.nobody().act(&path).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(owner.number(due).await, 0);
    let job = world.nobody().with("x-a2a-notification-token", &good);
    job.act(&path).await.expect(204);
    assert_eq!(owner.number(due).await, 1);
    owner.run("delete from sessions").await;
    job.act(&path).await.expect(204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_of_an_agent_makes_its_session_due() {
    let (listener, peer) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), a2a::peer());
    let url = format!("http://{}", listener.local_addr().unwrap());
    let settings = Settings { public_url: Some(url.into()), ..super::settings(&peer.place) };
    let world = TestApp::with(Options { settings, ..Options::default() }).await;
    world.a2a_agent(&world.tenant, "peer", &format!("{}/http/agent-card.json", peer.url), None).await;
    let heard = Arc::new(AtomicU32::new(0));
    let counted = heard.clone();
    let listen = from_fn(move |request: Request, next: Next| {
        let (counted, pushes) = (counted.clone(), request.uri().path().starts_with("/api/v1/a2a/push-notifications/"));
        async move {
            let response = next.run(request).await;
            if pushes && response.status() == 204 {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            response
        }
    });
    let (api, mut tasks) = (world.api.clone().layer(listen), JoinSet::new());
    tasks.spawn(async move { _ = axum::serve(listener, api).await });
    let id = super::start(&world, "later").await;
    world.caller(Role::Member).reaches(&id, &["completed"]).await;
    harness::until(async || heard.load(Ordering::SeqCst) > 0).await;
}

/// The table of states in docs/a2a.md, both ways.
#[test]
fn the_states_in_the_document_are_those_of_the_code() {
    let text = std::fs::read_to_string(harness::child_process::root().join("docs/a2a.md")).unwrap();
    let name = |status: Status, held: Option<PauseReason>| {
        let state = serde_json::to_value(task_state(status, held)).unwrap();
        state.as_str().unwrap().trim_start_matches("TASK_STATE_").to_owned()
    };
    let row = |session: &str, task: &str| {
        let wanted = format!("| {session} | {task} |");
        assert!(text.contains(&wanted), "docs/a2a.md lacks the row {wanted}");
    };
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Paused) {
        row(status.name(), &name(status, None));
    }
    for reason in PauseReason::ALL {
        row(&format!("paused ({})", reason.name()), &name(Status::Paused, Some(reason)));
    }
}

#[tokio::test]
async fn the_session_of_a_message_works_in_the_default_environment_of_its_tenant() {
    let world = TestApp::full().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let body = json!({"name": "usual", "is_default": true});
    lead.post("/api/v1/environments", body).await.expect(201);
    for text in ["Do it.", "And that."] {
        let answer = member
            .post("/api/v1/a2a/{tenant}/message:send", message(text.trim_end_matches('.'), text))
            .await
            .expect(200);
        let session = member.session(answer["task"]["id"].as_str().unwrap()).await;
        assert_eq!(session["environment"]["name"], "usual", "{text}");
    }
    assert_eq!(member.get("/sessions").await.expect(200)["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_tenant_without_a_free_place_in_its_queue_refuses_a_message() {
    let limits = TenantLimits { max_concurrent_sessions: 0, max_queued_sessions: 1, ..TenantLimits::default() };
    let world = TestApp::idle(Options { limits, ..Options::default() }).await;
    let member = world.caller(Role::Member);
    member.post("/api/v1/a2a/{tenant}/message:send", message("m", "Do it.")).await.expect(200);
    let refused = member.post("/api/v1/a2a/{tenant}/message:send", message("n", "And that.")).await;
    assert_eq!(refused.status, 429);
    assert!(refused.json().to_string().contains("QUOTA_EXCEEDED"), "{}", refused.json());
}
