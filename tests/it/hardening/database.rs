//! A Postgres that hangs: calls end with a problem within bounds, and nobody is given the connection that hung.

use std::{sync::Arc, time::Duration};

use harness::{Options, World, database::Database, proxy::Proxy, world};
use serde_json::json;
use shared::auth::Role;
use tokio::time::Instant;

#[tokio::test]
async fn calls_to_a_postgres_that_hangs_end_with_a_problem_and_the_connection_is_not_used_again() {
    let database = Arc::new(Database::new().await);
    let mut world = World::on(database.clone(), Options::default()).await;
    let way = Proxy::to(&database.url).await;
    // Another process of the same ioc, whose way to Postgres can hang.
    let app = world::app(&way.url(&database.url), &harness::redis_url(), Options::default());
    shared::agent::register(&app).await.unwrap();
    world.api = functions::api(app);
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let owner = world.owner().await;
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
    // What had been on its way may only have been undone: its connections are closed.
    harness::until(async || owner.number(&format!("{mine} and state <> 'idle'")).await == 0).await;
    assert_eq!(owner.dump().await, before);
    caller.patch(&path, json!({"title": "Another title"})).await.expect(200);
}
