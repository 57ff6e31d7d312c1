//! The marketplace: the agents that other tenants share with this one.

mod disable;
mod enable;
mod get;
mod list;
mod view;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/marketplace`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(get::get, enable::enable, disable::disable))
}
