//! One table of transitions, four places: the code, the database, the docs, the `OpenAPI` document.

use std::collections::BTreeMap;

use harness::{TestApp, openapi};
use serde_json::json;
use shared::{identity::auth::Role, sessions::status::Status};

fn table() -> BTreeMap<String, Vec<String>> {
    let next = |status: Status| status.next().iter().map(|to| to.name().to_owned()).collect();
    Status::ALL.iter().map(|status| (status.name().to_owned(), next(*status))).collect()
}

/// The table below a heading of a document: its first column and its last, which holds words with commas.
pub(crate) fn written(text: &str, heading: &str) -> BTreeMap<String, Vec<String>> {
    let section = text.split(heading).nth(1).expect("the section");
    let rows =
        section.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let next = cells.last().unwrap().split(',').map(|word| word.trim().to_owned()).filter(|word| word != "none");
        (cells[0].to_owned(), next.collect())
    })
    .collect()
}

#[test]
fn the_transition_table_in_the_docs_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/architecture.md");
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(written(&text, "## The twelve states"), table());
}

#[test]
fn the_openapi_document_lists_the_twelve_states() {
    let document = openapi::document();
    let states: Vec<_> = Status::ALL.iter().map(|status| status.name()).collect();
    assert_eq!(document["components"]["schemas"]["Status"]["enum"], json!(states));
}

#[tokio::test]
async fn the_database_allows_only_the_transitions_of_the_table() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    for from in Status::ALL {
        for to in Status::ALL {
            let sql = format!("select session_transition_allowed('{}', '{}')::int::bigint", from.name(), to.name());
            assert_eq!(owner.number(&sql).await == 1, from.may_go(to), "{} to {}", from.name(), to.name());
        }
    }
}

#[tokio::test]
async fn the_database_counts_the_same_states_as_holding_a_slot() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    for status in Status::ALL {
        let sql = format!("select holds_slot('{}')::int::bigint", status.name());
        assert_eq!(owner.number(&sql).await == 1, status.holds_slot(), "{}", status.name());
    }
}

#[tokio::test]
async fn the_database_counts_offered_sessions_as_taking_up_a_slot() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    for (status, offered, occupies) in
        [("queued", "null", 0), ("queued", "now()", 1), ("running", "null", 1), ("degraded", "null", 1)]
    {
        let sql = format!("select occupies_slot('{status}', {offered})::int::bigint");
        assert_eq!(owner.number(&sql).await, occupies, "{status} {offered}");
    }
}

#[tokio::test]
async fn the_token_quota_is_reached_at_its_limit_and_zero_means_no_limit() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    for (limit, used, reached) in
        [(10, "9", 0), (10, "10", 1), (10, "11", 1), (10, "null", 0), (0, "0", 0), (0, "5000", 0)]
    {
        let sql = format!("select token_quota_reached({limit}, {used})::int::bigint");
        assert_eq!(owner.number(&sql).await, reached, "{used} of {limit}");
    }
}

#[tokio::test]
async fn the_database_refuses_a_write_with_an_invalid_transition() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({})).await;
    for from in Status::ALL {
        owner.place(&id, from.name()).await;
        owner.run("delete from session_checkpoints").await;
        for to in Status::ALL.into_iter().filter(|to| *to != from && !from.may_go(*to)) {
            let sql = format!("update sessions set status = '{}' where id = '{id}'", to.name());
            assert_eq!(
                owner.refusal(&sql).await.as_deref(),
                Some("session_transition"),
                "{} to {}",
                from.name(),
                to.name()
            );
        }
    }
}

#[tokio::test]
async fn the_health_score_is_that_of_the_docs() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({"max_duration_seconds": 1000})).await;
    for status in Status::ALL {
        owner.place(&id, status.name()).await;
        owner.run("delete from session_checkpoints").await;
        let score = match status {
            Status::Completed => 1.0,
            Status::Failed | Status::Timeout => 0.0,
            Status::Degraded => 0.4,
            Status::Running => 0.9,
            _ => 0.8,
        };
        assert_eq!(caller.session(&id).await["health_score"], score, "{}", status.name());
    }
    owner.place(&id, "running").await;
    for (share, score) in [(0.5, 0.9), (0.72, 0.7), (0.95, 0.3)] {
        owner.run(&format!("update sessions set active_ms = {share} * 1000000")).await;
        assert_eq!(caller.session(&id).await["health_score"], score, "{share}");
    }
}
