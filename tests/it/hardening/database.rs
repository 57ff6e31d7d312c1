//! Postgres gets no COMMIT or ROLLBACK in vain. When it hangs, calls end with a problem within bounds, and nobody is
//! given the connection that hung.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use harness::{Options, TestApp, database::Database, proxy::Proxy, test_app};
use serde_json::json;
use shared::identity::auth::Role;
use tokio::time::Instant;

#[tokio::test]
async fn a_call_to_a_hanging_postgres_fails_and_its_connection_is_discarded() {
    let database = Arc::new(Database::new().await);
    let mut world = TestApp::on(database.clone(), Options::default()).await;
    let way = Proxy::to(&database.url).await;
    // Another process of the same ioc, whose way to Postgres can hang.
    let app = test_app::app(&way.url(&database.url), &harness::redis_url(), Options::default());
    shared::agents::registry::register_platform_agents(&app).await.unwrap();
    world.api = functions::api(app);
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let owner = world.superuser().await;
    let before = owner.dump().await;
    way.stall();
    let began = Instant::now();
    let path = format!("/sessions/{id}");
    let keyed = caller.with("idempotency-key", "one");
    let body = json!({"title": "Another title"});
    let (listed, patched, keyed) =
        tokio::join!(caller.get("/sessions"), caller.patch(&path, body.clone()), keyed.patch(&path, body));
    for reply in [listed, patched, keyed] {
        reply.problem(503, "DEPENDENCY_UNAVAILABLE");
    }
    assert!(began.elapsed() < Duration::from_secs(16), "{:?}", began.elapsed());
    let mine = "select count(*) from pg_stat_activity where datname = current_database() and usename = 'ioc_app'";
    way.flow();
    harness::until(async || caller.get("/sessions").await.status == 200).await;
    // Statements in flight can only have been rolled back: their connections are closed.
    harness::until(async || owner.number(&format!("{mine} and state <> 'idle'")).await == 0).await;
    assert_eq!(owner.dump().await, before);
    caller.patch(&path, json!({"title": "Another title"})).await.expect(200);
}

#[tokio::test]
async fn a_disk_that_is_full_or_broken_is_an_outage_that_may_be_retried() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let path = format!("/sessions/{}", caller.new_session(json!({})).await);
    let owner = world.superuser().await;
    let trigger = "create trigger refuse_write before update on sessions for each row execute function refuse_write()";
    for (at, state) in ["53100", "53200", "58030"].into_iter().enumerate() {
        let refuse = format!("begin raise exception 'no space left on device' using errcode = '{state}'; end");
        owner
            .run(&format!(
                "create or replace function refuse_write() returns trigger language plpgsql as $$ {refuse} $$"
            ))
            .await;
        if at == 0 {
            owner.run(trigger).await;
        }
        let problem =
            caller.patch(&path, json!({"title": "Another title"})).await.problem(503, "DEPENDENCY_UNAVAILABLE");
        assert_eq!(problem["retryable"], true, "{state}: {problem}");
    }
    harness::until(async || {
        let ready = world.nobody().get("/ready").await.expect(200);
        ready["notes"][0].as_str().is_some_and(|note| note.contains("no space left"))
    })
    .await;
    owner.run("drop trigger refuse_write on sessions").await;
    caller.patch(&path, json!({"title": "Another title"})).await.expect(200);
}

const USERS: &str = "/api/v1/users";

/// Each of these warnings is a COMMIT or ROLLBACK that was sent although no transaction was open.
#[tokio::test]
async fn postgres_warns_of_nothing_whether_work_succeeds_fails_or_is_abandoned() {
    let mut database = Database::new().await;
    let way = Proxy::to(&database.url).await;
    let direct = database.url.clone();
    database.url = way.url(&direct);
    let mut world = TestApp::on(Arc::new(database), Options::default()).await;
    world.work();
    let (caller, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let keyed = caller.with("idempotency-key", "one");
    let id = keyed.run_script(json!([{"do": "wait", "ms": 20}])).await;
    caller.reaches(&id, &["completed"]).await;
    assert_eq!(way.warnings(), 0, "after a session");

    let user = json!({"email": "ada@example.org", "full_name": "Ada Lovelace", "role": "viewer"});
    lead.post(USERS, user.clone()).await.expect(201);
    // The last statement fails: the commit that was sent with it has rolled back already.
    lead.post(USERS, user.clone()).await.problem(409, "ALREADY_EXISTS");
    lead.with("idempotency-key", "two").post(USERS, user).await.problem(409, "ALREADY_EXISTS");
    assert_eq!(way.warnings(), 0, "after a statement that failed");

    for polls in 1..20 {
        let mut abandoned = Box::pin(caller.get("/sessions"));
        for _ in 0..polls {
            if abandoned.as_mut().now_or_never().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(abandoned);
    }
    caller.get("/sessions").await.expect(200);
    assert_eq!(way.warnings(), 0, "after requests that nobody waited for");

    let client = shared::platform::postgres::migrations::connect_owner(&way.url(&direct)).await.unwrap();
    client.batch_execute("rollback").await.unwrap();
    assert_eq!(way.warnings(), 1, "the proxy counts them");
}
