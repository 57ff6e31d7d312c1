//! `GET /ready`: whether Postgres, Redis and the queue answer within a second each.

use std::time::{Duration, Instant};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use shared::{app::App, identity::rate_limits::service::is_shared, kernel::error::Result};
use utoipa::ToSchema;

/// The readiness of the process.
#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    /// `ready` or `unavailable`.
    status: &'static str,
    /// The checks of the services.
    checks: Checks,
    /// Functions that are degraded at present.
    notes: Vec<&'static str>,
}

/// The checks of all services.
#[derive(Serialize, ToSchema)]
struct Checks {
    /// PostgreSQL.
    postgres: Check,
    /// Redis.
    redis: Check,
    /// The queue.
    queue: Check,
}

/// The check of one service.
#[derive(Serialize, ToSchema)]
struct Check {
    /// Whether the service answered.
    ok: bool,
    /// The duration of the check in milliseconds.
    latency_ms: u64,
}

/// Check readiness
///
/// Checks whether PostgreSQL, Redis and the queue answer within a second each.
#[utoipa::path(get, path = "/ready", operation_id = "get_readiness", tag = "health", security(()), responses(
    (status = 200, description = "All services answer.", body = Readiness),
    (status = 503, description = "A service does not answer.", body = Readiness),
))]
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let (postgres, redis, queue) = tokio::join!(
        check("postgres", app.db.ping()),
        check("redis", app.cache.ping()),
        check("queue", app.queue.ping())
    );
    let ok = postgres.ok && redis.ok && queue.ok;
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if ok { "ready" } else { "unavailable" };
    let mut notes = Vec::new();
    if !redis.ok || !is_shared(&app) {
        notes.push("Redis does not answer: each process enforces the rate limits by its own count.");
    }
    (status, Json(Readiness { status: word, checks: Checks { postgres, redis, queue }, notes }))
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
