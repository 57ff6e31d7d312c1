//! Postgres goes away while sessions run, in peace or by a kill, and comes back: callers hear a problem within bounds,
//! and all ends right.

use std::{sync::Arc, time::Duration};

use harness::{Options, TestApp, database::Database};
use local::services::{Postgres, PostgresOptions};
use shared::{
    identity::{auth::Role, tenants},
    platform::queue::job::Job,
};
use tokio::time::{Instant, sleep};

use super::scenario;

const SESSIONS: usize = 20;
const AT_ONCE: usize = 5;

/// No call may take longer, whatever happens to Postgres.
const BOUND: Duration = Duration::from_secs(8);

/// Waits for a condition while the reconciler runs, more often than by the schedule.
pub(super) async fn swept<T>(world: &TestApp, work: impl Future<Output = T>) -> T {
    let reconciler = async {
        loop {
            // Without Postgres there is nothing to be swept; the next one comes.
            _ = functions::jobs::run(&world.app, Job::reconcile()).await;
            sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        done = work => done,
        never = reconciler => never,
    }
}

/// How Postgres ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Stop,
    Kill,
}

/// That calls during the outage are refused as retryable, without a wait.
async fn assert_calls_fail_at_once(world: &TestApp, id: &str) {
    let began = Instant::now();
    for path in ["/sessions", "/sessions/stats", &format!("/sessions/{id}")] {
        let problem = world.caller(Role::Member).get(path).await.problem(503, "DEPENDENCY_UNAVAILABLE");
        assert_eq!(problem["retryable"], true, "{path}");
    }
    // An answer is repeated for a second.
    let ready = harness::found(async || {
        let ready = world.nobody().get("/ready").await;
        (ready.status == 503).then(|| ready.json())
    });
    assert_eq!(ready.await["checks"]["postgres"]["ok"], false);
    assert!(began.elapsed() < BOUND, "four calls took {:?}", began.elapsed());
}

async fn survives(how: End) {
    let postgres = Postgres::start(&PostgresOptions::default()).await.unwrap();
    let database = Arc::new(Database::on_server(&postgres.url()).await);
    let limits = tenants::TenantLimits { max_concurrent_sessions: 5, ..tenants::TenantLimits::default() };
    let mut world = TestApp::on(database, Options { limits, ..Options::default() }).await;
    world.work();
    let caller = world.caller(Role::Member);
    let mut ids = Vec::new();
    for n in 0..SESSIONS {
        ids.push(caller.run_script(scenario::one_of_many(n)).await);
    }
    let outage = async {
        for _ in 0..2 {
            sleep(Duration::from_millis(300)).await;
            match how {
                End::Stop => postgres.stop().await,
                End::Kill => postgres.kill().await,
            }
            assert_calls_fail_at_once(&world, &ids[0]).await;
            postgres.restart().await.unwrap();
            let back = Instant::now();
            while world.nobody().get("/ready").await.status != 200 || caller.get("/sessions").await.status != 200 {
                assert!(back.elapsed() < BOUND, "Postgres is back, and nobody notices");
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let (most, ()) = tokio::join!(swept(&world, scenario::over(&caller, &ids)), outage);
    assert!(most <= AT_ONCE, "{most} sessions ran at once");
    for id in &ids {
        scenario::right(&world, &caller, id).await;
    }
    scenario::counted(&world, SESSIONS).await;
    drop(world);
    postgres.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_correctly_through_restarts_of_postgres() {
    survives(End::Stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_correctly_through_kills_of_postgres() {
    survives(End::Kill).await;
}
