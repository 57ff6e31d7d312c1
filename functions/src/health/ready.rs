//! `GET /ready`: Postgres, Redis and the queue are really asked, each within a second.

use std::time::{Duration, Instant};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use shared::{app::App, error::Result, limits::service::are_counted};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    /// `ready` or `unavailable`.
    status: &'static str,
    checks: Checks,
    /// What does not work as it should meanwhile.
    notes: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct Checks {
    postgres: Check,
    redis: Check,
    queue: Check,
}

#[derive(Serialize, ToSchema)]
struct Check {
    ok: bool,
    latency_ms: u64,
}

#[utoipa::path(get, path = "/ready", tag = "health", security(()), responses(
    (status = 200, description = "All that we need answers.", body = Readiness),
    (status = 503, description = "Something that we need does not answer.", body = Readiness),
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
    if !redis.ok || !are_counted(&app) {
        notes.push("Redis does not answer: calls are let through without a limit.");
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
