//! One tenant's reads cannot take the database from everybody: lists read a bounded number of rows, and each tenant has
//! a share of the connections.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use harness::{Options, TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::{
    identity::{auth::Role, tenants::TenantLimits},
    sessions::store::statement,
};
use tokio::time::timeout;

/// A test app whose sessions wait, because the tenant has no slot.
async fn waiting_world() -> TestApp {
    let limits = TenantLimits { max_concurrent_sessions: 0, ..TenantLimits::default() };
    TestApp::idle(Options { limits, ..Options::default() }).await
}

/// Inserts copies of a session that differ in id, title, priority and age.
async fn copy_session(superuser: &Superuser, id: &str, copies: u32) {
    superuser
        .run(&format!(
            "insert into sessions (tenant_id, id, title, session_type, priority, initial_prompt, agent_config,
                 max_duration_seconds, tags, metadata, root_id, depth, status, status_changed_at, agent_id, queued_at,
                 created_by, created_at, updated_at)
             select s.tenant_id, new.id, 'Copy ' || n, s.session_type, n % 5, s.initial_prompt, s.agent_config,
                 s.max_duration_seconds, s.tags, s.metadata, new.id, 1, s.status, s.status_changed_at, s.agent_id,
                 s.queued_at - n * interval '7 seconds', s.created_by, s.created_at, s.updated_at
             from sessions s, generate_series(1, {copies}) n, lateral (select gen_random_uuid() as id where n > 0) new
             where s.id = '{id}'; analyze sessions"
        ))
        .await;
}

/// How many rows a statement reads from tables or their indexes, also those that it drops.
async fn rows_read(world: &TestApp, sql: &str) -> f64 {
    let app = Superuser::of(&world.database.url).await;
    app.run(&format!("set app.tenant_id = '{}'", world.tenant.id)).await;
    let mut read = 0.0;
    let mut scans = (0.0, false);
    for line in app.texts(&format!("explain (analyze, costs off, timing off) {sql}")).await {
        let number = |after: &str| -> Option<f64> {
            let rest = line.split(after).nth(1)?;
            rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.parse().ok()
        };
        if let (Some(rows), Some(loops)) = (number("rows="), number("loops=")) {
            let is_scan = line.contains(" on ")
                && line.contains("Scan")
                && !line.contains("CTE Scan")
                && !line.contains("Bitmap Index");
            scans = (loops, is_scan);
            read += if is_scan { rows * loops } else { 0.0 };
        } else if let (true, Some(removed)) = (scans.1, number("Rows Removed by Filter: ")) {
            read += removed * scans.0;
        }
    }
    read
}

fn filled(sql: &str, world: &TestApp, limit: u32) -> String {
    sql.replace("$1", "now()").replace("$2", &format!("'{}'", world.tenant.id)).replace("$3", &limit.to_string())
}

#[tokio::test]
async fn a_list_reads_each_waiting_session_once_for_the_whole_page() {
    let world = waiting_world().await;
    let superuser = world.superuser().await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(json!({"agent_config": {"agent": "scripted"}})).await;
    copy_session(&superuser, &id, 5000).await;
    let page = f64::from(200 * 4);
    let read = rows_read(&world, &filled(&statement::list(""), &world, 200)).await;
    assert!(read < 5001.0 + page, "{read} rows for 5001 that wait");
    let pending = caller.new_session(json!({})).await;
    let read = rows_read(&world, &filled(&statement::list(&format!(" and s.id = '{pending}'")), &world, 200)).await;
    assert!(read < page, "{read} rows for a page on which nothing waits");
}

#[tokio::test]
async fn a_list_and_a_single_session_give_the_same_place_in_the_queue() {
    let world = waiting_world().await;
    let superuser = world.superuser().await;
    let caller = world.caller(Role::Member);
    for agent in ["scripted", "manual"] {
        let id = caller.start_session(json!({"agent_config": {"agent": agent}})).await;
        copy_session(&superuser, &id, 20).await;
    }
    caller.new_session(json!({})).await;
    let list = caller.get("/sessions?limit=30").await.expect(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 30);
    for item in items {
        let single = caller.session(item["id"].as_str().unwrap()).await;
        assert_eq!(item["queue"], single["queue"]);
    }
    let places: Vec<_> = caller.all_pages("/sessions?limit=200", "queue").await;
    let mut places: Vec<_> = places.iter().filter_map(|queue| queue["place"].as_i64()).collect();
    places.sort_unstable();
    assert_eq!(places, (1..=21).flat_map(|place| [place, place]).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_search_reads_the_newest_sessions_only() {
    let world = waiting_world().await;
    let superuser = world.superuser().await;
    let caller = world.caller(Role::Member);
    // The ids of copies are random, so almost all of them count as newer than this session's, which begins with a time.
    let oldest = caller.new_session(json!({"title": "A needle"})).await;
    copy_session(&superuser, &oldest, 11_000).await;
    let found = caller.get("/sessions?q=needle").await.expect(200);
    assert_eq!(found["items"], json!([]), "11000 are newer");
    let newest = caller.get("/sessions?limit=1").await.expect(200)["items"][0]["title"].clone();
    let found = caller.get(&format!("/sessions?q={}", newest.as_str().unwrap().replace(' ', "%20"))).await.expect(200);
    assert!(found["items"].as_array().unwrap().iter().any(|item| item["title"] == newest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_reads_of_one_tenant_leave_connections_to_others_and_to_jobs() {
    let world = TestApp::new().await;
    let superuser = world.superuser().await;
    let other = world.another_tenant().await;
    let (busy, other) = (world.caller(Role::Member), world.caller_of(&other, Role::Member));
    let id = busy.new_session(json!({})).await;
    // Each read of artifacts waits for this transaction.
    superuser.run("begin; lock table session_artifacts in access exclusive mode").await;
    let path = format!("/sessions/{id}/artifacts");
    let mut reads: FuturesUnordered<_> = (0..24).map(|_| busy.get(&path)).collect();
    let meanwhile = async {
        for _ in 0..20 {
            other.get("/sessions").await.expect(200);
        }
        let done = other.start_session(json!({"agent_config": {"agent": "manual"}})).await;
        other.reaches(&done, &["running"]).await;
        superuser.run("commit").await;
    };
    let undisturbed = timeout(Duration::from_secs(7), async {
        let mut meanwhile = std::pin::pin!(meanwhile);
        tokio::select! {
            () = &mut meanwhile => {}
            Some(reply) = reads.next() => panic!("{reply:?} was not slow"),
        }
    });
    undisturbed.await.expect("another tenant's calls and jobs go on");
    let rest: Vec<_> = reads.collect().await;
    assert!(rest.into_iter().all(|reply| reply.expect(200)["items"] == json!([])));
    let after: Vec<Value> = join_all((0..8).map(|_| async { busy.get(&path).await.expect(200) })).await;
    assert_eq!(after.len(), 8);
}
