//! The live stream: tickets to open it with, a topic read as a log, and the socket itself where this process holds it.

mod events;
pub mod gateway;
pub mod socket;
mod tickets;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/live`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(tickets::issue)).routes(routes!(events::events))
}
