//! `POST /sessions/{id}/fork`: a new session that goes on from a checkpoint; the source stays as it is.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    error::Error,
    session::service::{self, Fork},
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    reply::Created,
    request::{Caller, Id, Member, OptionalJson},
    sessions::view::SessionView,
};

/// From where.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFork {
    /// The newest checkpoint when absent; the beginning when there is none.
    #[schema(minimum = 1)]
    checkpoint: Option<i64>,
}

#[utoipa::path(post, path = "/api/v1/sessions/{id}/fork", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    request_body = Option<NewFork>, responses((status = 201, description = "The new session.", body = SessionView,
        headers(("Location" = String, description = "Its place."))), Problems))]
pub(super) async fn fork(
    State(app): State<App>,
    caller: Caller<Member>,
    Id(source): Id,
    OptionalJson(new): OptionalJson<NewFork>,
) -> Answer<Created> {
    let checkpoint = new.checkpoint.map(i32::try_from).transpose();
    let checkpoint = checkpoint.map_err(|_| Error::field("checkpoint", "is not the number of a checkpoint"))?;
    let found = service::fork(&app, &caller, &Fork { source, checkpoint }).await?;
    Ok(Created(SessionView::of(&app, found)))
}
