//! `POST /live/tickets`: what a browser opens the live stream with.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    app::App,
    clock::Time,
    live::{
        Who,
        ticket::{self, GOOD_FOR},
    },
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Viewer},
};

/// A ticket. It is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = LiveTicket)]
pub(super) struct Issued {
    /// What is sent as `?ticket=` when the stream is opened: good once.
    ticket: String,
    expires_in_seconds: u64,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
}

#[utoipa::path(post, path = "/api/v1/live/tickets", operation_id = "create_live_ticket", tag = "live",
    responses((status = 201, description = "A ticket for `wss://.../ws/sessions?ticket=`, good once and for a minute.", body = Issued), Problems))]
pub(super) async fn issue(State(app): State<App>, caller: Caller<Viewer>) -> Answer<Response> {
    let made = ticket::issue(&app, &Who::from(&*caller)).await?;
    let body = Issued { ticket: made.text, expires_in_seconds: GOOD_FOR.as_secs(), expires_at: made.expires_at };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
