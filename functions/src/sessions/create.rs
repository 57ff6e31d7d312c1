//! `POST /sessions`: creates a session, and starts it on request.

use axum::extract::State;
use shared::{
    app::App,
    sessions::{
        draft::{SessionDraft, SessionInput},
        service,
    },
};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Member},
        version::Created,
    },
    sessions::view::SessionView,
};

/// Create a session
///
/// Creates a session in the status `pending`. With `start` it is queued at once. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions", operation_id = "create_session", tag = "sessions", request_body = SessionInput,
    responses((status = 201, description = "The created session.", body = SessionView,
        headers(("Location" = String, description = "The URL of the created object."), ("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller<Member>,
    Json(new): Json<SessionInput>,
) -> HandlerResult<Created<SessionView>> {
    let found = service::create(&app, &caller, SessionDraft::parse(new)?).await?;
    Ok(Created(SessionView::of(&app, found)))
}
