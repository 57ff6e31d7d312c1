//! The scripted model plays every form of step, as clients of OpenAI's and Anthropic's APIs see it.

use std::time::{Duration, Instant};

use local::scripted_model::{ScriptedModel, serve};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

async fn model() -> ScriptedModel {
    serve("127.0.0.1:0").await.unwrap()
}

/// A request of an agent that offers the tool `write`, after so many turns of the model.
fn request(prompt: &str, turns: usize) -> Value {
    let mut messages =
        vec![json!({"role": "system", "content": "You code."}), json!({"role": "user", "content": prompt})];
    for turn in 0..turns {
        messages.push(json!({"role": "assistant", "content": null}));
        messages.push(json!({"role": "tool", "tool_call_id": turn.to_string(), "content": "done"}));
    }
    let write = json!({"type": "function", "function": {"name": "write", "parameters": {}}});
    json!({"model": "stub-1", "messages": messages, "tools": [write]})
}

async fn send(model: &ScriptedModel, body: &Value) -> Response {
    let url = format!("{}/chat/completions", model.base_url());
    Client::new().post(url).header("x-session-id", "ses_1").json(body).send().await.unwrap()
}

/// The whole answer's choice.
async fn ask(model: &ScriptedModel, body: &Value) -> Value {
    let answer: Value = send(model, body).await.json().await.unwrap();
    answer["choices"][0].clone()
}

/// The events of a streamed answer, and whether it came to its end.
async fn stream(model: &ScriptedModel, mut body: Value) -> (Vec<Value>, bool) {
    body["stream"] = true.into();
    let mut response = send(model, &body).await;
    let mut text = String::new();
    while let Ok(Some(piece)) = response.chunk().await {
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    let data: Vec<&str> = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let ended = data.last() == Some(&"[DONE]");
    (data.iter().filter_map(|event| serde_json::from_str(event).ok()).collect(), ended)
}

#[tokio::test]
async fn each_turn_of_a_conversation_plays_the_next_step() {
    let model = model().await;
    let script =
        r#"Go: @@STUB [{"tool": "write", "args": {"filePath": "a"}, "say": "now"}, {"text": "end"}] @@ and so on"#;
    let first = ask(&model, &request(script, 0)).await;
    assert_eq!(first["finish_reason"], "tool_calls");
    assert_eq!(first["message"]["content"], "now");
    let call = &first["message"]["tool_calls"][0]["function"];
    assert_eq!((&call["name"], &call["arguments"]), (&json!("write"), &json!(r#"{"filePath":"a"}"#)));
    let second = ask(&model, &request(script, 1)).await;
    assert_eq!((&second["finish_reason"], &second["message"]["content"]), (&json!("stop"), &json!("end")));
    assert_eq!(ask(&model, &request(script, 2)).await["message"]["content"], "done (script exhausted)");
}

#[tokio::test]
async fn a_later_prompt_without_a_script_continues_the_earlier_one() {
    let model = model().await;
    let mut body = request(r#"@@STUB [{"text": "one"}, {"text": "two"}] @@"#, 1);
    body["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "user", "content": [{"type": "text", "text": "go on"}]}));
    assert_eq!(ask(&model, &body).await["message"]["content"], "two");
}

#[tokio::test]
async fn several_tools_are_called_at_once() {
    let model = model().await;
    let script = r#"@@STUB [{"tools": [{"tool": "read", "args": {"n": 1}}, {"tool": "glob"}]}] @@"#;
    let (events, ended) = stream(&model, request(script, 0)).await;
    assert!(ended);
    let calls: Vec<&Value> = events.iter().map(|event| &event["choices"][0]["delta"]["tool_calls"][0]).collect();
    let names: Vec<&str> = calls.iter().filter_map(|call| call["function"]["name"].as_str()).collect();
    assert_eq!(names, ["read", "glob"]);
    assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 50);
}

#[tokio::test]
async fn a_text_is_streamed_in_the_scripted_number_of_pieces_with_the_scripted_end() {
    let model = model().await;
    let script = r#"@@STUB [{"text": "äöüabc", "chunks": 2, "chunk_sleep": 0.05, "finish": "length"}] @@"#;
    let started = Instant::now();
    let (events, _) = stream(&model, request(script, 0)).await;
    assert!(started.elapsed() >= Duration::from_millis(100));
    let pieces: Vec<&str> =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(pieces, ["", "äöü", "abc"]);
    assert!(events.iter().any(|event| event["choices"][0]["finish_reason"] == "length"));
}

#[tokio::test]
async fn an_error_is_repeated_as_often_as_the_script_says() {
    let model = model().await;
    let script = r#"@@STUB [{"status": 429, "headers": {"retry-after": 7}, "body": {"no": 1}, "times": 2, "then": {"text": "back"}}] @@"#;
    for _ in 0..2 {
        let refused = send(&model, &request(script, 0)).await;
        assert_eq!(
            (refused.status(), &refused.headers()["retry-after"]),
            (StatusCode::TOO_MANY_REQUESTS, &"7".parse().unwrap())
        );
        assert_eq!(refused.json::<Value>().await.unwrap(), json!({"no": 1}));
    }
    assert_eq!(ask(&model, &request(script, 0)).await["message"]["content"], "back");
}

#[tokio::test]
async fn an_error_without_a_count_is_permanent() {
    let model = model().await;
    for _ in 0..3 {
        assert_eq!(send(&model, &request(r#"@@STUB [{"status": 503}] @@"#, 0)).await.status(), 503);
    }
}

#[tokio::test]
async fn a_dropped_response_ends_in_the_middle() {
    let model = model().await;
    let (events, ended) = stream(&model, request(r#"@@STUB [{"text": "half of", "drop": true}] @@"#, 0)).await;
    assert!(!ended);
    assert!(events.iter().any(|event| event["choices"][0]["delta"]["content"].is_string()));
    assert!(events.iter().all(|event| event["choices"][0]["finish_reason"].is_null()));
}

#[tokio::test]
async fn a_step_may_wait_before_it_answers() {
    let model = model().await;
    let started = Instant::now();
    ask(&model, &request(r#"@@STUB [{"text": "late", "sleep": 0.2}] @@"#, 0)).await;
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_bad_script_is_refused_with_the_reason() {
    let model = model().await;
    let refused = send(&model, &request(r#"@@STUB [{"tol": "write"}] @@"#, 0)).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().await.unwrap().contains("tol"));
}

#[tokio::test]
async fn a_prompt_without_a_script_is_written_to_a_file_by_a_self_describing_model() {
    let model = model().await;
    let first = ask(&model, &request("Mend the parser", 0)).await;
    let call = &first["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "write");
    assert!(call["arguments"].as_str().unwrap().contains("Mend the parser"));
    let second = ask(&model, &request("Mend the parser", 1)).await;
    assert!(second["message"]["content"].as_str().unwrap().contains("scripted model"));
}

#[tokio::test]
async fn a_title_request_gets_a_title_and_does_not_advance_the_script() {
    let model = model().await;
    let messages = json!([{"role": "system", "content": "You write a title"}, {"role": "user", "content": "@@STUB [{\"status\": 500}] @@"}]);
    let answer = ask(&model, &json!({"messages": messages})).await;
    assert_eq!(answer["message"]["content"], "Stub title");
}

#[tokio::test]
async fn every_request_is_remembered_with_its_session() {
    let model = model().await;
    for _ in 0..2 {
        send(&model, &request("one", 0)).await;
    }
    let requests = model.requests();
    assert_eq!(requests.iter().map(|request| request.count).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(requests[0].headers["x-session-id"], "ses_1");
    assert_eq!(requests[0].body["messages"][1]["content"], "one");
}

/// The events of an answer in a form that names each of them.
async fn stream_named(model: &ScriptedModel, path: &str, body: Value) -> Vec<Value> {
    let mut response = Client::new().post(format!("{}{path}", model.root_url())).json(&body).send().await.unwrap();
    let mut text = String::new();
    while let Ok(Some(piece)) = response.chunk().await {
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    let events = text.split("\n\n").filter(|event| !event.is_empty()).map(|event| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        data
    });
    events.collect()
}

const WRITES: &str = r#"@@STUB [{"tool": "write", "args": {"filePath": "a", "content": "x"}, "say": "now"}, {"text": "the end", "finish": "length"}] @@"#;

fn of_type<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == name).collect()
}

#[tokio::test]
async fn a_script_is_played_in_the_form_of_anthropics_messages() {
    let model = model().await;
    let mut messages = vec![json!({"role": "user", "content": WRITES})];
    let body =
        |messages: &[Value]| json!({"model": "m", "stream": true, "tools": [{"name": "Write"}], "messages": messages});
    let events = stream_named(&model, "/v1/messages?beta=true", body(&messages)).await;
    let starts = of_type(&events, "content_block_start");
    assert_eq!(starts[1]["content_block"]["name"], "Write");
    let deltas = of_type(&events, "content_block_delta");
    let text: String = deltas.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert_eq!(text, "now");
    let input = deltas.last().unwrap()["delta"]["partial_json"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(input).unwrap(), json!({"file_path": "a", "content": "x"}));
    let end = of_type(&events, "message_delta")[0];
    assert_eq!((&end["delta"]["stop_reason"], &end["usage"]["output_tokens"]), (&json!("tool_use"), &json!(50)));
    assert_eq!(events.last().unwrap()["type"], "message_stop");

    messages
        .push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Write", "input": {}}]}));
    messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "done"}]}));
    let events = stream_named(&model, "/v1/messages", body(&messages)).await;
    assert_eq!(of_type(&events, "message_delta")[0]["delta"]["stop_reason"], "max_tokens");
}

#[tokio::test]
async fn a_script_is_played_in_the_form_of_openais_responses() {
    let model = model().await;
    let mut input =
        vec![json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": WRITES}]})];
    let tools = json!([{"type": "function", "name": "exec_command"}]);
    let body = |input: &[Value]| json!({"model": "m", "stream": true, "tools": tools, "input": input});
    let events = stream_named(&model, "/v1/responses", body(&input)).await;
    let numbers: Vec<_> = events.iter().filter_map(|event| event["sequence_number"].as_u64()).collect();
    assert!(numbers.is_sorted() && numbers.len() == events.len(), "{numbers:?}");
    let items = of_type(&events, "response.output_item.done");
    assert_eq!(items[0]["item"]["content"][0]["text"], "now");
    assert_eq!(items[1]["item"]["name"], "exec_command");
    assert!(items[1]["item"]["arguments"].as_str().unwrap().contains("printf"));
    let end = events.last().unwrap();
    assert_eq!((&end["type"], &end["response"]["usage"]["total_tokens"]), (&json!("response.completed"), &json!(1050)));

    input.extend(items.iter().map(|event| event["item"].clone()));
    input.push(json!({"type": "function_call_output", "call_id": items[1]["item"]["call_id"], "output": "done"}));
    let events = stream_named(&model, "/v1/responses", body(&input)).await;
    let end = events.last().unwrap();
    assert_eq!(end["type"], "response.incomplete");
    assert_eq!(end["response"]["output"][0]["content"][0]["text"], "the end");
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_is_whole_in_every_form() {
    let model = model().await;
    let script = r#"@@STUB [{"text": "all of it"}] @@"#;
    let prompt = json!([{"role": "user", "content": script}]);
    for (path, list, place) in
        [("/v1/messages", "messages", "/content/0/text"), ("/v1/responses", "input", "/output/0/content/0/text")]
    {
        let body = json!({"model": "m", "tools": [{"name": "Write"}], list: prompt});
        let response = Client::new().post(format!("{}{path}", model.root_url())).json(&body).send().await.unwrap();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer.pointer(place), Some(&json!("all of it")), "{answer}");
    }
}
