//! `POST /live/tickets`: a ticket that opens the live stream once.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    app::App,
    events::stream::{
        Subscriber,
        ticket::{self, LIFETIME},
    },
    kernel::clock::Time,
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Viewer},
};

/// A ticket that opens the live stream once.
#[derive(Serialize, ToSchema)]
#[schema(as = LiveTicket)]
pub(super) struct IssuedTicket {
    /// The ticket, to be sent as `?ticket=` when the stream is opened.
    ticket: String,
    /// The seconds until the ticket expires.
    expires_in_seconds: u64,
    /// When the ticket expires.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
}

/// Create a live ticket
///
/// Creates a ticket that opens the live stream from a browser, as `/ws/sessions?ticket=`. It is valid once and for a
/// minute. Each frame of the stream has the schema `StreamFrame`.
#[utoipa::path(post, path = "/api/v1/live/tickets", operation_id = "create_live_ticket", tag = "live",
    responses((status = 201, description = "The ticket.", body = IssuedTicket)))]
pub(super) async fn issue(State(app): State<App>, caller: Caller<Viewer>) -> HandlerResult<Response> {
    let made = ticket::issue_ticket(&app, &Subscriber::from(&*caller)).await?;
    let body = IssuedTicket { ticket: made.text, expires_in_seconds: LIFETIME.as_secs(), expires_at: made.expires_at };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
