//! `GET /sessions`: pages, filters, and the search by a fragment.

use harness::{Caller, TestApp};
use serde_json::{Value, json};
use shared::identity::auth::Role;

async fn titles(caller: &Caller, query: &str) -> Vec<String> {
    let list = caller.get(&format!("/sessions?{query}")).await.expect(200);
    list["items"].as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_hold_every_session_once_newest_first() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(caller.new_session(json!({"title": format!("Session {n}")})).await);
    }
    made.reverse();
    for limit in [1, 3, 7, 200] {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = caller.get(&format!("/sessions?limit={limit}{cursor}")).await.expect(200);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            ids.extend(items.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(ids, made, "by {limit}");
    }
}

#[tokio::test]
async fn each_filter_narrows_the_list_and_a_comma_means_any_of() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let parent = caller.new_session(json!({"title": "A", "tags": ["x", "y"], "priority": 0})).await;
    let child = json!({"title": "B", "tags": ["y"], "session_type": "review", "parent_id": parent, "priority": "low"});
    caller.new_session(child).await;
    let third = caller
        .start_session(json!({"title": "C", "description": "100%_sure\\", "agent_config": {"agent": "manual"}}))
        .await;
    let agent = caller.session(&third).await["agent"]["id"].as_str().unwrap().to_owned();
    for (query, expected) in [
        ("status=queued".to_owned(), vec!["C"]),
        ("status=pending,queued".to_owned(), vec!["C", "B", "A"]),
        ("status=running".to_owned(), vec![]),
        ("session_type=review,planning".to_owned(), vec!["B"]),
        ("priority=critical,3".to_owned(), vec!["B", "A"]),
        ("tag=x".to_owned(), vec!["A"]),
        ("tag=x,y".to_owned(), vec!["B", "A"]),
        (format!("parent_id={parent}"), vec!["B"]),
        (format!("agent_id={agent}"), vec!["C"]),
        ("q=100%25_".to_owned(), vec!["C"]),
        ("q=0%25s".to_owned(), vec![]),
        ("q=sure%5C".to_owned(), vec!["C"]),
        (format!("q={}", &parent[20..]), vec!["A"]),
        ("created_before=2001-01-01T00:00:00Z".to_owned(), vec![]),
        ("created_after=2001-01-01T00:00:00%2B01:00".to_owned(), vec!["C", "B", "A"]),
        ("status=pending&tag=y&priority=low".to_owned(), vec!["B"]),
    ] {
        assert_eq!(titles(&caller, &query).await, expected, "{query}");
    }
    let at = caller.session(&third).await["created_at"].as_str().unwrap().to_owned();
    assert_eq!(titles(&caller, &format!("created_after={at}")).await, ["C"], "from that moment on");
    assert_eq!(titles(&caller, &format!("created_before={at}")).await, ["B", "A"], "up to that moment");
}

#[tokio::test]
async fn a_listed_session_has_the_same_fields_as_a_single_one() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(json!({"tags": ["x"]})).await;
    let list = caller.get("/sessions").await.expect(200);
    assert_eq!(list, json!({"items": [caller.session(&id).await], "next_cursor": Value::Null}));
}
