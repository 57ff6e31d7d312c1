//! Redis forgets all it knew, or dies and comes back, while sessions run: it costs time at most.

use std::time::Duration;

use harness::{Options, PATIENCE, TestApp, valkey::Valkey};
use shared::identity::{auth::Role, tenants};
use tokio::time::sleep;

use super::scenario;

const SESSIONS: usize = 20;
const AT_ONCE: usize = 5;

async fn world(server: &Valkey) -> TestApp {
    let limits = tenants::TenantLimits { max_concurrent_sessions: 5, ..tenants::TenantLimits::default() };
    TestApp::with(Options { limits, redis_url: Some(server.url()), ..Options::default() }).await
}

/// Starts the sessions and reconciles, like the schedule, until all have ended correctly.
async fn all_end_right(world: &TestApp, trouble: impl Future<Output = ()>) {
    let caller = world.caller(Role::Member);
    let mut ids = Vec::new();
    for n in 0..SESSIONS {
        ids.push(caller.run_script(scenario::one_of_many(n)).await);
    }
    let (most, ()) = tokio::join!(super::postgres::swept(world, scenario::over(&caller, &ids)), trouble);
    assert!(most <= AT_ONCE, "{most} sessions ran at once");
    for id in &ids {
        scenario::right(world, &caller, id).await;
    }
    scenario::counted(world, SESSIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_correctly_while_redis_is_flushed_repeatedly() {
    let server = Valkey::start(&[]).await;
    let world = world(&server).await;
    let flushes = async {
        for _ in 0..30 {
            server.command("FLUSHALL").await;
            sleep(Duration::from_millis(30)).await;
        }
    };
    all_end_right(&world, flushes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_continue_without_redis_and_after_its_return() {
    let mut server = Valkey::start(&[]).await;
    let world = world(&server).await;
    let nobody = world.nobody();
    let caller = world.caller(Role::Member);
    let outage = async {
        sleep(Duration::from_millis(200)).await;
        server.kill();
        let ready = nobody.get("/ready").await.expect(503);
        assert_eq!(
            (&ready["checks"]["redis"]["ok"], &ready["checks"]["postgres"]["ok"]),
            (&false.into(), &true.into())
        );
        // Work goes on meanwhile: a session that is made now ends before Redis is back.
        let id = caller.run_script(scenario::one_of_many(3)).await;
        caller.reaches(&id, &["completed"]).await;
        server.revive().await;
        let late = tokio::time::Instant::now() + PATIENCE;
        while nobody.get("/ready").await.status != 200 {
            assert!(tokio::time::Instant::now() < late, "Redis is back, and nobody notices");
            sleep(Duration::from_millis(20)).await;
        }
    };
    let caller = world.caller(Role::Member);
    let mut ids = Vec::new();
    for n in 0..SESSIONS {
        ids.push(caller.run_script(scenario::one_of_many(n)).await);
    }
    let (most, ()) = tokio::join!(super::postgres::swept(&world, scenario::over(&caller, &ids)), outage);
    assert!(most <= AT_ONCE, "{most} sessions ran at once");
    for id in &ids {
        scenario::right(&world, &caller, id).await;
    }
    scenario::counted(&world, SESSIONS + 1).await;
}
