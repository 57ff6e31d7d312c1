//! `GET /health`: the process answers. Asks nobody.

use std::{sync::LazyLock, time::Instant};

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// When this was first asked for: the routes are made as the process starts.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(super) fn started() {
    LazyLock::force(&STARTED);
}

#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: &'static str,
    version: &'static str,
    commit: &'static str,
    uptime_seconds: u64,
}

#[utoipa::path(get, path = "/health", tag = "health", security(()), responses((status = 200, description = "We are there.", body = Health)))]
pub(super) async fn health() -> Json<Health> {
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("IOC_COMMIT").unwrap_or("unknown"),
        uptime_seconds: STARTED.elapsed().as_secs(),
    })
}
