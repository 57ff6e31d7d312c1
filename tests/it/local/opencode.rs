//! The OpenCode server that we start, with the scripted model behind it.

use local::{
    scripted_model,
    services::{Model, OpenCode, OpenCodeOptions, opencode::USER},
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

async fn json(opencode: &OpenCode, request: RequestBuilder) -> Value {
    let answer = request.basic_auth(USER, Some(opencode.password())).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_prompt_changes_a_file_and_its_session_survives_a_kill() {
    let model = scripted_model::serve("127.0.0.1:0").await.unwrap();
    let options = OpenCodeOptions::new(Model::Scripted { base_url: model.base_url() });
    let opencode = OpenCode::start(&options).await.unwrap();
    let work = local::paths::temporary("work").unwrap();
    let at = |path: &str| format!("{}{path}?directory={}", opencode.url(), work.display());
    let http = Client::new();
    assert_eq!(http.get(at("/session")).send().await.unwrap().status(), 401);

    let session = json(&opencode, http.post(at("/session")).json(&json!({}))).await;
    let session = session["id"].as_str().unwrap();
    let prompt = r#"@@STUB [{"tool": "write", "args": {"filePath": "a.txt", "content": "hello"}},
                            {"tool": "grep", "args": {"pattern": "hell"}}, {"text": "done"}] @@"#;
    let body = json!({"parts": [{"type": "text", "text": prompt}]});
    let answer = json(&opencode, http.post(at(&format!("/session/{session}/message"))).json(&body)).await;
    assert_eq!(answer["info"]["finish"], "stop", "{answer}");
    assert_eq!(std::fs::read_to_string(work.join("a.txt")).unwrap(), "hello");
    let last = model.requests().pop().unwrap().body["messages"].take();
    assert!(last.to_string().contains("Found 1 match"), "ripgrep works: {last}");

    opencode.kill().await;
    opencode.restart().await.unwrap();
    let messages = json(&opencode, http.get(at(&format!("/session/{session}/message")))).await;
    assert_eq!(messages.as_array().unwrap().len(), 4);
    opencode.stop().await;
    std::fs::remove_dir_all(work).unwrap();
}
