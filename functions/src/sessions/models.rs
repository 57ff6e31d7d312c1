//! `GET /sessions/{id}/models`: the model versions that were trained on a session.

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{
    app::App,
    models::registry::{service, store::TrainedOn},
};
use utoipa::ToSchema;

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, SessionPath, Viewer},
        response::Items,
    },
    models::view::VersionView,
};

/// A model version that was trained on a session.
#[derive(Serialize, ToSchema)]
#[schema(as = TrainedOnSession)]
pub(super) struct TrainedOnView {
    /// The version.
    version: VersionView,
    /// `training`, or `held_out` if the session was used for evaluation only.
    split: String,
}

/// List models of a session
///
/// Returns the model versions that were trained on a session, newest first, also if the session was deleted since.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/models", operation_id = "list_models_of_session", tag = "sessions",
    params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    responses((status = 200, description = "The model versions.",
        body = Items<TrainedOnView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    SessionPath(id): SessionPath,
) -> HandlerResult<Json<Items<TrainedOnView>>> {
    let view = |one: TrainedOn| TrainedOnView { version: VersionView::of(&app, one.version), split: one.split };
    let found = service::trained_on(&app, &caller, id).await?;
    Ok(Json(Items::all(found.into_iter().map(view).collect())))
}
