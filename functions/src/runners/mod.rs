//! Runners: the machines on which the agents of a pool work. Leads enrol and manage them; they register and send
//! heartbeats by themselves.

mod delete;
mod drain;
mod enrol;
mod enrolments;
mod get;
mod heartbeat;
mod list;
mod register;
mod resume;
mod rotate;
mod view;

use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/api/v1/runners`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(enrol::enrol, enrolments::list))
        .routes(routes!(enrolments::delete))
        .routes(routes!(register::register))
        .routes(routes!(get::get, delete::delete))
        .routes(routes!(drain::drain))
        .routes(routes!(resume::resume))
        .routes(routes!(heartbeat::heartbeat))
        .routes(routes!(rotate::rotate))
}
