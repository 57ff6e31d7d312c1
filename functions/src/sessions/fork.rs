//! `POST /sessions/{id}/fork`: a new session that goes on from a checkpoint; the source stays as it is.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    error::{Error, Result},
    session::service::{self, Fork},
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Creator, Id, Member, OptionalJson},
    sessions::view::SessionView,
    version::Created,
};

/// From where.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFork {
    /// The newest checkpoint when absent; the beginning when there is none.
    #[schema(minimum = 1)]
    checkpoint: Option<i64>,
}

#[utoipa::path(post, path = "/api/v1/sessions/{id}/fork", operation_id = "fork_session", tag = "sessions",
    params(("id" = uuid::Uuid, Path), ("X-Tenant-ID" = String, Header, description = "The caller's tenant: uuid or slug.")),
    request_body = Option<NewFork>, responses((status = 201, description = "The new session.", body = SessionView,
        headers(("Location" = String, description = "Its place."))), Problems))]
pub(super) async fn fork(
    State(app): State<App>,
    caller: Creator<Member>,
    Id(source): Id,
    OptionalJson(new): OptionalJson<NewFork>,
) -> Answer<Created<SessionView>> {
    let checkpoint = new.checkpoint.map(sequence).transpose()?;
    let found = service::fork(&app, &caller, &Fork { source, checkpoint }).await?;
    Ok(Created(SessionView::of(&app, found)))
}

fn sequence(number: i64) -> Result<i32> {
    let number = i32::try_from(number).ok().filter(|number| *number >= 1);
    number.ok_or_else(|| Error::field("checkpoint", "is not the number of a checkpoint"))
}
