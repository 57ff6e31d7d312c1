//! `GET /ready`: whether Postgres, Redis and the queue answer within a second each.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Extension, Json, extract::State, http::StatusCode};
use serde::Serialize;
use shared::{app::App, identity::rate_limits::service::is_shared, kernel::error::Result};
use tokio::sync::Mutex;
use utoipa::ToSchema;

/// How long an answer is repeated: nobody needs a credential to ask, so asking often must cost nothing.
const ANSWER_TTL: Duration = Duration::from_secs(1);

/// How long a failure of Postgres' storage is reported. A probe of its own would not notice a full disk before the next
/// segment of its log is due.
const STORAGE_FAILURE_TTL: Duration = Duration::from_mins(1);

/// The last answer of this process. Whoever holds the lock checks for all who ask meanwhile.
#[derive(Clone, Default)]
pub(crate) struct LastReadiness(Arc<Mutex<Option<(Instant, Readiness)>>>);

/// The readiness of the process.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// `ready` or `unavailable`.
    status: &'static str,
    /// The checks of the services.
    checks: Checks,
    /// Functions that are degraded at present.
    notes: Vec<&'static str>,
}

/// The checks of all services.
#[derive(Clone, Serialize, ToSchema)]
struct Checks {
    /// PostgreSQL.
    postgres: Check,
    /// Redis.
    redis: Check,
    /// The queue.
    queue: Check,
}

/// The check of one service.
#[derive(Clone, Serialize, ToSchema)]
struct Check {
    /// Whether the service answered.
    ok: bool,
    /// The duration of the check in milliseconds.
    latency_ms: u64,
}

/// Check readiness
///
/// Checks whether PostgreSQL, Redis and the queue answer within a second each. An answer is repeated for one second.
#[utoipa::path(get, path = "/ready", operation_id = "get_readiness", tag = "health", security(()), responses(
    (status = 200, description = "All services answer.", body = Readiness),
    (status = 503, description = "A service does not answer.", body = Readiness),
))]
pub(super) async fn ready(
    State(app): State<App>,
    Extension(LastReadiness(last)): Extension<LastReadiness>,
) -> (StatusCode, Json<Readiness>) {
    let mut last = last.lock().await;
    let readiness = match last.as_ref() {
        Some((at, known)) if at.elapsed() < ANSWER_TTL => known.clone(),
        _ => last.insert((Instant::now(), check_all(&app).await)).1.clone(),
    };
    let status = if readiness.checks.ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

async fn check_all(app: &App) -> Readiness {
    let (postgres, redis, queue) = tokio::join!(
        check("postgres", app.db.ping()),
        check("redis", app.cache.ping()),
        check("queue", app.queue.ping())
    );
    let mut notes = Vec::new();
    if !redis.ok || !is_shared(app) {
        notes.push("Redis does not answer: each process enforces the rate limits by its own count.");
    }
    if app.db.has_storage_failed_within(STORAGE_FAILURE_TTL) {
        notes.push("Postgres has no space left or its disk fails: it refused a change within the last minute.");
    }
    let checks = Checks { postgres, redis, queue };
    Readiness { status: if checks.ok() { "ready" } else { "unavailable" }, checks, notes }
}

impl Checks {
    fn ok(&self) -> bool {
        self.postgres.ok && self.redis.ok && self.queue.ok
    }
}

async fn check(name: &str, asked: impl Future<Output = Result<()>>) -> Check {
    let began = Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(1), asked).await;
    let latency_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let ok = match answer {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(check = name, ?error, "not ready");
            false
        }
        Err(_) => {
            tracing::warn!(check = name, "did not answer within a second");
            false
        }
    };
    Check { ok, latency_ms }
}
