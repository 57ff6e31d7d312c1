//! `GET /health`: the process answers. It calls no dependency.

use std::{
    sync::{LazyLock, OnceLock},
    time::Instant,
};

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// When this was first read: the routes are built at the start of the process.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The revision that this process was built from, if it is configured.
pub(super) static COMMIT: OnceLock<String> = OnceLock::new();

pub(super) fn start_clock() {
    LazyLock::force(&STARTED);
}

/// The state of the process.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// The version of the software.
    version: &'static str,
    /// The revision that the software was built from, or `unknown`.
    commit: &'static str,
    /// The seconds since the process started.
    uptime_seconds: u64,
}

/// Check liveness
///
/// Answers while the process runs. Calls no other service.
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "health", security(()), responses((status = 200, description = "The process runs.", body = Health)))]
pub(super) async fn health() -> Json<Health> {
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        commit: COMMIT.get().map_or("unknown", String::as_str),
        uptime_seconds: STARTED.elapsed().as_secs(),
    })
}
