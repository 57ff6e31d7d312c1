//! `POST /sessions/{id}/fork`: creates a session from a checkpoint of another one, which does not change.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    kernel::error::{Error, Result},
    sessions::service::{self, Fork},
};
use utoipa::ToSchema;

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Member, OptionalJson, SessionPath},
        version::Created,
    },
    sessions::view::SessionView,
};

/// The checkpoint to fork from.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFork {
    /// The number of the checkpoint. Default: the newest one, or the beginning of the session if there is none.
    #[schema(minimum = 1)]
    checkpoint: Option<i64>,
}

/// Fork a session
///
/// Creates a session that continues from a checkpoint of another, which stays unchanged. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/fork", operation_id = "fork_session", tag = "sessions",
    params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    request_body = Option<NewFork>, responses((status = 201, description = "The created session.", body = SessionView,
        headers(("Location" = String, description = "The URL of the created object.")))))]
pub(super) async fn fork(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(source): SessionPath,
    OptionalJson(new): OptionalJson<NewFork>,
) -> HandlerResult<Created<SessionView>> {
    let checkpoint = new.checkpoint.map(sequence).transpose()?;
    let found = service::fork_session(&app, &caller, &Fork { source, checkpoint }).await?;
    Ok(Created(SessionView::of(&app, found)))
}

fn sequence(number: i64) -> Result<i32> {
    let number = i32::try_from(number).ok().filter(|number| *number >= 1);
    number.ok_or_else(|| Error::invalid_field("checkpoint", "is not the number of a checkpoint"))
}
