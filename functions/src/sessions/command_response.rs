//! The answer to a command on a session.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use shared::{
    app::App,
    sessions::{store::FoundSession, transitions::commands::CommandOutcome},
};

use crate::{http::version::VersionedJson, sessions::view::SessionView};

/// The session after a command: 200, or 202 if the agent or the scheduler has to act first.
pub(super) struct CommandResponse(pub SessionView, pub CommandOutcome);

impl CommandResponse {
    pub(super) fn of(app: &App, (found, outcome): (FoundSession, CommandOutcome)) -> Self {
        Self(SessionView::of(app, found), outcome)
    }
}

impl IntoResponse for CommandResponse {
    fn into_response(self) -> Response {
        let status = match self.1 {
            CommandOutcome::Applied => StatusCode::OK,
            CommandOutcome::Accepted => StatusCode::ACCEPTED,
        };
        (status, VersionedJson(self.0)).into_response()
    }
}
