//! `GET /health`: the process answers. Asks nobody.

use std::{
    sync::{LazyLock, OnceLock},
    time::Instant,
};

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// When this was first asked for: the routes are made as the process starts.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What this process was built from, as far as it was told.
pub(super) static COMMIT: OnceLock<String> = OnceLock::new();

pub(super) fn started() {
    LazyLock::force(&STARTED);
}

#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: &'static str,
    version: &'static str,
    /// The revision that it was built from, or `unknown`.
    commit: &'static str,
    uptime_seconds: u64,
}

#[utoipa::path(get, path = "/health", tag = "health", security(()), responses((status = 200, description = "We are there.", body = Health)))]
pub(super) async fn health() -> Json<Health> {
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        commit: COMMIT.get().map_or("unknown", String::as_str),
        uptime_seconds: STARTED.elapsed().as_secs(),
    })
}
