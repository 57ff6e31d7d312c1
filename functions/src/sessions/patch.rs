//! `PATCH /sessions/{id}`: changes the fields that a user may change.

use axum::extract::State;
use shared::{
    app::App,
    engine::commands,
    sessions::draft::{SessionPatch, SessionPatchInput},
};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Member, SessionPath},
        version::{IfMatch, VersionedJson},
    },
    sessions::view::SessionView,
};

/// Update a session
///
/// Changes the title, description, priority, tags, metadata or time limit of a session. Requires the role member.
#[utoipa::path(patch, path = "/api/v1/sessions/{id}", operation_id = "patch_session", tag = "sessions", request_body = SessionPatchInput,
    params(("id" = uuid::Uuid, Path, description = "The id of the session."), ("If-Match" = Option<String>, Header, description = "The version that the caller expects to change.")),
    responses((status = 200, description = "The updated session.", body = SessionView,
        headers(("ETag" = String, description = "The new version of the object.")))))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
    IfMatch(version): IfMatch,
    Json(new): Json<SessionPatchInput>,
) -> HandlerResult<VersionedJson<SessionView>> {
    let found = commands::update(&app, &caller, id, SessionPatch::parse(new)?, version).await?;
    Ok(VersionedJson(SessionView::of(&app, found)))
}
