//! The live stream: its tickets, its topics as logs, and the WebSocket of a host that holds the connections itself.

mod event_stream;
mod events;
pub mod gateway;
pub mod runner_socket;
pub mod socket;
mod tickets;
mod topic_event;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/live`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(tickets::issue)).routes(routes!(events::events))
}
