//! Pages end before they are too large for a response, and hold only the fields that were asked for.

use std::collections::BTreeSet;

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

const MAX_PAGE: usize = 4_000_000;

/// The items of a list, page by page, each of which fits into a response.
async fn pages(caller: &harness::Caller, path: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let reply = caller.get(&format!("{path}{cursor}")).await;
        assert!(reply.bytes.len() < MAX_PAGE + 1000, "{} bytes", reply.bytes.len());
        let page = reply.expect(200);
        pages.push(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { return pages };
        let joint = if path.contains('?') { '&' } else { '?' };
        cursor = format!("{joint}cursor={}", form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>());
    }
}

#[tokio::test]
async fn a_list_of_large_sessions_is_split_by_size() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let mut ids = BTreeSet::new();
    for _ in 0..45 {
        ids.insert(caller.new_session(json!({"initial_prompt": "x".repeat(100_000)})).await);
    }
    let pages = pages(&caller, "/sessions?limit=200").await;
    assert!((2..=3).contains(&pages.len()), "{} pages of 4.5 MB", pages.len());
    assert_eq!(pages.iter().map(Vec::len).sum::<usize>(), 45);
    let listed: BTreeSet<_> = pages.iter().flatten().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, ids);
    let selected = caller.get("/sessions?limit=200&fields=title").await.expect(200);
    assert_eq!((selected["items"].as_array().unwrap().len(), &selected["next_cursor"]), (45, &Value::Null));
}

#[tokio::test]
async fn a_large_diff_is_split_by_size() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "write", "path": "a.rs", "content": "x\n"}])).await;
    caller.reaches(&id, &["completed"]).await;
    let copies = "insert into session_files (tenant_id, session_id, path, status, additions, deletions, patch)
                  select tenant_id, session_id, 'b/ü&' || n || '.rs', status, 1, 0, repeat('x', 500000)
                  from session_files, generate_series(1, 12) n";
    world.superuser().await.run(copies).await;
    let pages = pages(&caller, &format!("/sessions/{id}/diff")).await;
    assert_eq!(pages.iter().map(Vec::len).sum::<usize>(), 13);
    assert!(pages.len() > 1);
    let paths: BTreeSet<_> = pages.iter().flatten().map(|one| one["path"].to_string()).collect();
    assert_eq!(paths.len(), 13);
}

#[tokio::test]
async fn a_list_returns_only_the_fields_that_were_asked_for() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({"tags": ["x"]})).await;
    let whole = caller.session(&id).await;
    let listed = caller.get("/sessions?fields=status,tags,usage").await.expect(200);
    let expected = json!({"id": id, "status": whole["status"], "tags": ["x"], "usage": whole["usage"]});
    assert_eq!(listed["items"], json!([expected]));
    for (name, value) in whole.as_object().unwrap() {
        let one = caller.get(&format!("/sessions?fields={name}")).await.expect(200);
        assert_eq!(&one["items"][0][name], value);
        assert!(one["items"][0].as_object().unwrap().len() <= 2, "{one}");
    }
    for wrong in ["fields=secret", "fields=", "fields=id,,title", "fields=Title"] {
        let problem = caller.get(&format!("/sessions?{wrong}")).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "fields");
    }
}
