//! The statements of the busiest paths, expanded, as `.sql` files: so that a reviewer can read them, and sees each
//! change.

use std::{fs, path::PathBuf};

use harness::TestApp;
use serde_json::json;
use shared::{identity::auth::Role, sessions::store::statement};

/// Compares a statement with its file. `UPDATE_GOLDEN=1` writes the file.
fn assert_golden(name: &str, sql: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("it/snapshots/sql/{name}.sql"));
    let expanded = format!("{}\n", sql.trim());
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration but their environment")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &expanded).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == expanded, "{} differs: run this test with UPDATE_GOLDEN=1 and review", path.display());
}

#[tokio::test]
async fn the_busiest_statements_are_those_of_the_golden_files() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    // Three of them are assembled at their first use.
    let id = caller.new_session(json!({})).await;
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    caller.act(&format!("/sessions/{id}/cancel")).await.expect(200);
    assert_golden("insert_session", statement::INSERT.get().expect("a session was created"));
    assert_golden("start_session", statement::START.get().expect("a session was started"));
    assert_golden("save_session", statement::SAVE.get().expect("a session was changed"));
    assert_golden("find_session", &statement::FIND);
    assert_golden("lock_session", &statement::LOCK);
    assert_golden("list_sessions", &statement::list(""));
    assert_golden("admission_snapshot", statement::ADMISSION_SNAPSHOT);
    assert_golden("queue_order", statement::DISPATCH_STATE);
}
