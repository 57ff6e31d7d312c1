//! The model gateway between a client on its Unix socket and small real providers.

use std::{sync::Arc, time::Duration};

use super::support::{Asked, Provided, Setup, call};
use axum::http::StatusCode;
use runner::gateway::{GatewayEvent, ModelAllowList, Protocol, TokenUsage};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const USAGE_CHUNK: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":5}}}\n\n";

fn request() -> Value {
    json!({"model": "small", "stream": true, "messages": [{"role": "user", "content": "hello"}]})
}

#[tokio::test]
async fn a_chat_stream_passes_without_the_usage_chunk_and_is_metered() {
    let events = ["data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", USAGE_CHUNK, "data: [DONE]\n\n"];
    let mut setup = Setup::start(Provided::stream(&events)).await;
    let answer = setup.post(CHAT, &request()).await;
    assert_eq!((answer.status, answer.text()), (200, [events[0], events[2]].concat()));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let asked = setup.asked();
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    assert_eq!(body["messages"], request()["messages"]);
    let called = setup.next_call().await;
    let usage = TokenUsage { input_tokens: 9, cached_tokens: 5, output_tokens: 4, ..TokenUsage::default() };
    assert_eq!((called.usage, called.status, called.complete), (Some(usage), 200, true));
    assert_eq!((called.provider.as_str(), called.model.as_str()), ("real", "small"));
}

#[tokio::test]
async fn an_agent_that_asks_for_the_usage_receives_its_chunk() {
    let events = [USAGE_CHUNK, "data: [DONE]\n\n"];
    let setup = Setup::start(Provided::stream(&events)).await;
    let mut body = request();
    body["stream_options"] = json!({"include_usage": true});
    assert_eq!(setup.post(CHAT, &body).await.text(), events.concat());
    assert_eq!(setup.asked().body, body.to_string().as_bytes());
}

#[tokio::test]
async fn streams_of_responses_and_messages_pass_unchanged_and_are_metered() {
    let responses = [
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\n",
        "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":7,\
         \"output_tokens\":8,\"output_tokens_details\":{\"reasoning_tokens\":6}}}}\n\n",
    ];
    let messages = [
        "event: message_start\r\ndata: {\"message\":{\"usage\":{\"input_tokens\":2,\"cache_read_input_tokens\":5,\
         \"output_tokens\":1}}}\r\n\r\n",
        "event: message_delta\r\ndata: {\"usage\":{\"output_tokens\":8}}\r\n\r\n",
    ];
    let usage = TokenUsage { input_tokens: 7, output_tokens: 8, ..TokenUsage::default() };
    let of_responses = TokenUsage { reasoning_tokens: 6, ..usage };
    let of_messages = TokenUsage { cached_tokens: 5, ..usage };
    for (path, events, protocol, usage) in [
        ("/v1/responses", responses, Protocol::Responses, of_responses),
        ("/v1/messages?beta=true&key=other", messages, Protocol::Messages, of_messages),
    ] {
        let mut setup = Setup::start(Provided::stream(&events)).await;
        let answer = setup.post(path, &request()).await;
        assert_eq!(answer.text(), events.concat());
        let asked = setup.asked();
        assert_eq!(asked.body, request().to_string().as_bytes());
        assert_eq!(asked.uri, path.replace("&key=other", ""));
        let called = setup.next_call().await;
        assert_eq!((called.usage, called.protocol), (Some(usage), protocol));
    }
}

#[tokio::test]
async fn a_plain_answer_passes_unchanged_and_is_metered() {
    let body =
        json!({"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}});
    let mut setup = Setup::start(Provided::json(200, &body)).await;
    let answer = setup.post(CHAT, &json!({"model": "small"})).await;
    assert_eq!(answer.text(), body.to_string());
    assert_eq!(setup.next_call().await.usage.unwrap().input_tokens, 3);
}

#[tokio::test]
async fn the_first_chunk_arrives_before_the_provider_has_finished() {
    let events = ["data: {\"choices\":[{}]}\n\n", "data: [DONE]\n\n"];
    let gate = Arc::new(tokio::sync::Notify::new());
    let setup = Setup::start(Provided::stream(&events).held_by(gate.clone())).await;
    let mut answer = setup.begin(CHAT, &request()).await;
    let first = tokio::time::timeout(Duration::from_secs(5), answer.next_chunk()).await.expect("nothing arrived");
    assert_eq!(first.unwrap(), events[0].as_bytes());
    gate.notify_one();
    assert_eq!(answer.next_chunk().await.unwrap(), events[1].as_bytes());
}

#[tokio::test]
async fn a_provider_receives_its_own_key_and_only_headers_of_the_allow_list() {
    let setup = Setup::start(Provided::json(200, &json!({}))).await;
    let headers = [
        ("authorization", "Bearer placeholder"),
        ("x-api-key", "placeholder"),
        ("cookie", "a=b"),
        ("x-forwarded-for", "1.2.3.4"),
        ("accept-encoding", "gzip"),
        ("anthropic-beta", "tools"),
        ("x-session-id", "ses_1"),
    ];
    call(setup.socket(), "POST", CHAT, &headers, request().to_string().as_bytes()).await;
    let Asked { headers, .. } = setup.asked();
    assert_eq!(headers["authorization"], "Bearer sk-provider");
    assert_eq!(
        (&headers["accept-encoding"], &headers["anthropic-beta"]),
        (&"identity".parse().unwrap(), &"tools".parse().unwrap())
    );
    assert_eq!(headers["x-session-id"], "ses_1");
    for name in ["x-api-key", "cookie", "x-forwarded-for"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    let answer = setup.post("/v1/messages", &request()).await;
    assert_eq!((answer.header("x-request-id"), answer.header("set-cookie")), (Some("r1"), None));
    let Asked { headers, .. } = setup.asked();
    assert_eq!(headers["x-api-key"], "sk-provider");
    assert!(!headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_model_that_is_not_allowed_is_refused_in_the_form_of_the_protocol() {
    let mut setup =
        Setup::start(Provided::json(200, &json!({}))).with_models(ModelAllowList::Only(vec!["large*".into()])).await;
    let answer = setup.post(CHAT, &request()).await;
    let error = answer.json();
    assert_eq!((answer.status, &error["error"]["code"]), (403, &json!("model_not_found")));
    let answer = setup.post("/v1/messages", &request()).await;
    let error = answer.json();
    assert_eq!(
        (answer.status, &error["type"], &error["error"]["type"]),
        (403, &json!("error"), &json!("permission_error"))
    );
    assert_eq!(setup.next_event().await, GatewayEvent::ModelRefused { model: "small".into() });
    assert_eq!(setup.provider_calls(), 0);
    assert_eq!(setup.post(CHAT, &json!({"model": "large-1"})).await.status, 200);
}

#[tokio::test]
async fn a_refused_key_is_an_authentication_failure_and_is_not_quoted() {
    let body = json!({"error": {"message": "Incorrect API key provided: sk-provider"}});
    let mut setup = Setup::start(Provided::json(401, &body)).await;
    let answer = setup.post(CHAT, &request()).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    assert!(!answer.text().contains("sk-provider"));
    assert_eq!(setup.next_event().await, GatewayEvent::AuthenticationFailed { provider: "real".into() });
    assert_eq!(setup.next_call().await.status, 401);
}

#[tokio::test]
async fn a_rate_limit_passes_and_is_reported_with_its_wait() {
    for status in [429, 529] {
        let provided =
            Provided::json(status, &json!({"error": {"message": "slow down"}})).with_header("retry-after", "30");
        let mut setup = Setup::start(provided).await;
        let answer = setup.post("/v1/messages", &request()).await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, Some("30")));
        let retry_after = Some(Duration::from_secs(30));
        assert_eq!(
            setup.next_event().await,
            GatewayEvent::RateLimited { provider: "real".into(), status, retry_after }
        );
        assert_eq!(setup.next_call().await.status, status);
    }
}

#[tokio::test]
async fn everything_else_is_not_found_and_reaches_no_provider() {
    let setup = Setup::start(Provided::json(200, &json!({}))).await;
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/v1/files"),
        ("POST", "/v1/chat/completions/../files"),
        ("DELETE", "/v1/models"),
        ("GET", "/v1/models/small"),
        ("POST", "/v1/messages/batches"),
        ("GET", "http://127.0.0.1/v1/files"),
    ] {
        let answer = call(setup.socket(), method, path, &[], b"").await;
        assert_eq!(answer.status, 404, "{method} {path}");
    }
    assert_eq!(setup.provider_calls(), 0);
    assert_eq!(call(setup.socket(), "GET", "/v1/models?limit=3&key=x", &[], b"").await.status, 200);
    assert_eq!(setup.asked().uri, "/v1/models?limit=3");
}

#[tokio::test]
async fn a_request_above_32_mib_or_without_a_model_is_refused() {
    let setup = Setup::start(Provided::json(200, &json!({}))).await;
    let large = json!({"model": "small", "x": "y".repeat(33 * 1024 * 1024)}).to_string();
    assert_eq!(call(setup.socket(), "POST", CHAT, &[], large.as_bytes()).await.status, 413);
    assert_eq!(call(setup.socket(), "POST", CHAT, &[], b"{}").await.status, 400);
    assert_eq!(call(setup.socket(), "POST", CHAT, &[("content-encoding", "gzip")], b"x").await.status, 400);
    assert_eq!(setup.provider_calls(), 0);
    let allowed = json!({"model": "small", "x": "y".repeat(31 * 1024 * 1024)}).to_string();
    assert_eq!(call(setup.socket(), "POST", CHAT, &[], allowed.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn a_provider_that_redirects_or_is_gone_does_not_receive_the_key_elsewhere() {
    let other = Setup::start(Provided::json(200, &json!({}))).await;
    let provided = Provided::json(307, &json!({})).with_header("location", &other.provider_url());
    let setup = Setup::start(provided).await;
    assert_eq!(setup.post(CHAT, &request()).await.status, 307);
    assert_eq!(other.provider_calls(), 0);

    let mut gone = Setup::start(Provided::json(200, &json!({}))).without_provider().await;
    let answer = gone.post(CHAT, &request()).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (502, &json!("provider_unreachable")));
    let called = gone.next_call().await;
    assert_eq!((called.status, called.complete), (StatusCode::BAD_GATEWAY.as_u16(), false));
}

#[tokio::test]
async fn a_call_that_the_agent_gives_up_is_metered_as_far_as_it_went() {
    let start = "data: {\"message\":{\"usage\":{\"input_tokens\":2,\"output_tokens\":1}}}\n\n";
    let gate = Arc::new(tokio::sync::Notify::new());
    let mut setup = Setup::start(Provided::stream(&[start, "data: {}\n\n"]).held_by(gate)).await;
    let mut answer = setup.begin("/v1/messages", &request()).await;
    answer.next_chunk().await.unwrap();
    drop(answer);
    let called = setup.next_call().await;
    assert_eq!((called.usage.unwrap().input_tokens, called.complete), (2, false));
}

#[tokio::test]
async fn a_dropped_gateway_ends_its_streams_and_removes_its_socket() {
    let gate = Arc::new(tokio::sync::Notify::new());
    let mut setup = Setup::start(Provided::stream(&["data: {}\n\n", "data: {}\n\n"]).held_by(gate)).await;
    let mut answer = setup.begin(CHAT, &request()).await;
    answer.next_chunk().await.unwrap();
    setup.drop_gateway();
    let end = tokio::time::timeout(Duration::from_secs(5), answer.next_chunk()).await.expect("the stream goes on");
    assert!(end.is_none());
    assert!(!setup.socket().exists());
}

#[tokio::test]
async fn a_call_of_gemini_passes_by_the_model_of_its_path_and_is_metered() {
    let events = [
        "data: {\"candidates\":[{\"content\":{}}],\"usageMetadata\":{\"promptTokenCount\":9,\"totalTokenCount\":9}}\n\n",
        "data: {\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":9,\"cachedContentTokenCount\":5,\
         \"candidatesTokenCount\":4,\"thoughtsTokenCount\":2,\"totalTokenCount\":15}}\n\n",
    ];
    let models = ModelAllowList::Only(vec!["gemini-*".to_owned()]);
    let mut setup = Setup::start(Provided::stream(&events)).with_models(models).await;
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    let path = "/v1beta/models/gemini-2.5-pro:streamGenerateContent?key=agents-own&alt=sse";
    let answer = setup.post(path, &body).await;
    assert_eq!((answer.status, answer.text()), (200, events.concat()));
    let asked = setup.asked();
    assert_eq!(asked.uri, "/v1/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
    assert_eq!(asked.headers["x-goog-api-key"], "sk-provider");
    assert_eq!(asked.body, body.to_string().as_bytes());
    let called = setup.next_call().await;
    let usage = TokenUsage {
        input_tokens: 9,
        cached_tokens: 5,
        output_tokens: 6,
        reasoning_tokens: 2,
        ..TokenUsage::default()
    };
    assert_eq!(
        (called.usage, called.protocol, called.model.as_str()),
        (Some(usage), Protocol::Gemini, "gemini-2.5-pro")
    );
    let refused = setup.post("/v1beta/models/other:generateContent", &body).await;
    assert_eq!((refused.status, &refused.json()["error"]["status"]), (403, &json!("PERMISSION_DENIED")));
    assert_eq!(setup.provider_calls(), 0, "the provider was not asked again");
}
