//! The operations that external agents call, described in `docs/external-agent-protocol.md`.

mod artifact;
mod children;
mod claim;
mod heartbeat;
mod leave;
mod progress;
mod register;
mod result;
mod rotate;
mod secrets;
mod spawn;
mod task;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/agents/external`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(heartbeat::heartbeat))
        .routes(routes!(leave::leave))
        .routes(routes!(claim::claim))
        .routes(routes!(progress::progress))
        .routes(routes!(secrets::receive))
        .routes(routes!(artifact::artifact))
        .routes(routes!(spawn::spawn, children::children))
        .routes(routes!(result::result))
        .routes(routes!(rotate::rotate))
}
