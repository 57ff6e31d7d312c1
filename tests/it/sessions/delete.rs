//! `DELETE /sessions/{id}`: with all that belongs to it.

use harness::TestApp;
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::id::SessionId, platform::queue::job::Job};

#[tokio::test]
async fn a_deleted_session_leaves_no_row_behind() {
    let world = TestApp::new().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.run_script(json!([{"do": "write", "path": "a.rs", "content": "a"}])).await;
    caller.reaches(&id, &["completed"]).await;
    caller.delete(&format!("/sessions/{id}")).await.expect(204);
    harness::until(async || owner.number("select count(*) from workspace_releases").await == 0).await;
    world.run(Job::reconcile()).await;
    // That it was there, and who deleted it, stays on record; and for a week, which agent had it.
    let reported = ["audit_entries", "tenant_events"];
    for (table, rows) in owner.dump().await.into_iter().filter(|(table, _)| !reported.contains(&table.as_str())) {
        assert!(!rows.contains(&id), "{table} still knows it");
    }
    caller.delete(&format!("/sessions/{id}")).await.problem(404, "SESSION_NOT_FOUND");
    caller.get(&format!("/sessions/{id}/events")).await.problem(404, "SESSION_NOT_FOUND");
}

#[tokio::test]
async fn the_files_of_a_deleted_session_are_removed_from_the_store_and_no_others() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let mut sessions = Vec::new();
    for name in ["a", "b"] {
        let id = caller.run_script(json!([{"do": "write", "path": "a.rs", "content": name}])).await;
        caller.reaches(&id, &["completed"]).await;
        let made = caller.get(&format!("/sessions/{id}/artifacts")).await.expect(200);
        let hash = made["items"][0]["sha256"].as_str().unwrap().to_owned();
        sessions.push((id.parse::<SessionId>().unwrap(), hash));
    }
    let size = async |at: usize| {
        let (id, hash): &(SessionId, String) = &sessions[at];
        world.app.files.find_size(world.tenant.id, *id, hash).await.unwrap()
    };
    caller.delete(&format!("/sessions/{}", sessions[0].0)).await.expect(204);
    assert!(size(0).await.is_some(), "the deletion itself calls no object store");
    world.run(Job::reconcile()).await;
    assert!(size(0).await.is_none() && size(1).await.is_some());
    assert_eq!(world.superuser().await.number("select count(*) from file_removals").await, 0);
}

#[tokio::test]
async fn a_deletion_orphans_waiting_children_and_leaves_the_others_unchanged() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let parent = caller.new_session(json!({})).await;
    let mut children = Vec::new();
    for state in ["pending", "queued", "running", "degraded", "paused", "completed", "failed"] {
        let id = caller.new_session(json!({"parent_id": parent})).await;
        owner.place(&id, state).await;
        children.push((id, state));
    }
    let grandchild = caller.new_session(json!({"parent_id": children[0].0})).await;
    assert_eq!(caller.session(&parent).await["child_count"], 7);
    caller.delete(&format!("/sessions/{parent}")).await.expect(204);
    for (id, state) in &children {
        let child = caller.session(id).await;
        let after = if ["pending", "queued"].contains(state) { "orphaned" } else { state };
        assert_eq!((&child["status"], &child["parent_id"]), (&json!(after), &Value::Null), "{state}");
        if after == "orphaned" {
            assert_eq!(child["outcome"]["error"]["code"], "PARENT_ENDED");
            let events = caller.events(id).await;
            let reported = events.iter().find(|event| event["payload"]["to"] == "orphaned").unwrap();
            assert_eq!((&reported["actor"]["kind"], &reported["payload"]["from"]), (&json!("system"), &json!(state)));
        }
    }
    assert_eq!(caller.session(&grandchild).await["status"], "orphaned", "and so on, level by level");
}

#[tokio::test]
async fn a_refused_deletion_touches_no_child() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let parent = caller.new_session(json!({})).await;
    caller.new_session(json!({"parent_id": parent})).await;
    for state in ["running", "paused", "degraded"] {
        owner.place(&parent, state).await;
        let before = owner.dump().await;
        caller.delete(&format!("/sessions/{parent}")).await.problem(409, "INVALID_TRANSITION");
        assert_eq!(owner.dump().await, before, "{state}");
        owner.run("delete from session_checkpoints").await;
    }
}

#[tokio::test]
async fn concurrent_deletions_of_parents_and_children_all_succeed() {
    let world = TestApp::full().await;
    let (caller, owner) = (&world.caller(Role::Member), world.superuser().await);
    for _ in 0..4 {
        let root = caller.new_session(json!({})).await;
        let mut ids = vec![root.clone()];
        for _ in 0..5 {
            let child = caller.new_session(json!({"parent_id": root})).await;
            ids.push(caller.new_session(json!({"parent_id": child})).await);
            ids.push(child);
        }
        let deletions = ids.iter().map(|id| async move { caller.delete(&format!("/sessions/{id}")).await });
        for reply in futures_util::future::join_all(deletions).await {
            assert!(matches!(reply.status.as_u16(), 204 | 404), "{}", reply.json());
        }
    }
    assert_eq!(owner.number("select count(*) from sessions").await, 0);
}

#[tokio::test]
async fn a_parent_started_during_its_deletion_orphans_children_only_if_it_is_deleted() {
    let world = TestApp::full().await;
    let (caller, owner) = (&world.caller(Role::Member), world.superuser().await);
    let parent = caller.new_session(json!({})).await;
    let mut children = Vec::new();
    for _ in 0..3 {
        children.push(caller.new_session(json!({"parent_id": parent})).await);
    }
    // Somebody works on the last child, so that the deletion has to wait in its middle.
    owner.run(&format!("begin; select 1 from sessions where id = '{}' for update", children[2])).await;
    let watcher = world.superuser().await;
    let waits = async |count: i64| {
        let sql =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        harness::until(async || watcher.number(sql).await >= count).await;
    };
    let (place, start) = (format!("/sessions/{parent}"), format!("/sessions/{parent}/start"));
    let deleted = caller.delete(&place);
    let meanwhile = async {
        waits(1).await;
        // It takes its turn after the deletion; where it does not, it is through before the row is let go.
        let start = caller.act(&start);
        let let_go = async {
            let waiting = waits(2);
            let _ = tokio::time::timeout(std::time::Duration::from_secs(2), waiting).await;
            owner.run("commit").await;
        };
        tokio::join!(start, let_go).0
    };
    let (deleted, started) = tokio::join!(deleted, meanwhile);
    let states = "select distinct status from sessions where parent_id is not null or title <> '' order by 1";
    let states = watcher.texts(states).await;
    if deleted.status == 204 {
        started.problem(404, "SESSION_NOT_FOUND");
        assert_eq!(states, ["orphaned"]);
    } else {
        deleted.problem(409, "INVALID_TRANSITION");
        assert!(!states.contains(&"orphaned".to_owned()), "{states:?}");
    }
}
