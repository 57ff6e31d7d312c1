//! Coding sessions.

mod artifacts;
mod cancel;
mod checkpoints;
mod command_response;
mod complete;
mod create;
mod delete;
mod diff;
mod events;
mod fail;
mod fork;
mod get;
mod list;
mod models;
mod patch;
mod pause;
mod reason;
mod restore;
mod resume;
mod retry;
mod send_message;
mod start;
mod stats;
mod stop;
mod tree;
mod unqueue;
pub(crate) mod view;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/sessions`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(stats::stats))
        .routes(routes!(get::get, patch::patch, delete::delete))
        .routes(routes!(start::start))
        .routes(routes!(unqueue::unqueue))
        .routes(routes!(pause::pause))
        .routes(routes!(resume::resume))
        .routes(routes!(cancel::cancel))
        .routes(routes!(stop::stop))
        .routes(routes!(retry::retry))
        .routes(routes!(complete::complete))
        .routes(routes!(fail::fail))
        .routes(routes!(send_message::send_message))
        .routes(routes!(checkpoints::list, checkpoints::take))
        .routes(routes!(restore::restore))
        .routes(routes!(fork::fork))
        .routes(routes!(events::events))
        .routes(routes!(tree::tree))
        .routes(routes!(diff::diff))
        .routes(routes!(artifacts::list))
        .routes(routes!(artifacts::get))
        .routes(routes!(models::list))
}
