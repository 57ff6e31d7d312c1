//! `GET /sessions/{id}/models`: which versions of models were trained on a session.

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{
    app::App,
    model::{service, store::TrainedOn},
};
use utoipa::ToSchema;

use crate::{
    models::view::VersionView,
    problem::{Answer, Problems},
    reply::Items,
    request::{Caller, Id, Viewer},
};

/// A version that was trained on a session.
#[derive(Serialize, ToSchema)]
#[schema(as = TrainedOnSession)]
pub(super) struct TrainedOnView {
    version: VersionView,
    /// `training`, or `held_out` when it was only measured by it.
    split: String,
}

#[utoipa::path(get, path = "/api/v1/sessions/{id}/models", operation_id = "list_models_of_session", tag = "sessions",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The versions that were trained on it, newest first; also of a session that was deleted since.",
        body = Items<TrainedOnView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Id(id): Id,
) -> Answer<Json<Items<TrainedOnView>>> {
    let view = |one: TrainedOn| TrainedOnView { version: VersionView::of(&app, one.version), split: one.split };
    let found = service::trained_on(&app, &caller, id).await?;
    Ok(Json(Items::all(found.into_iter().map(view).collect())))
}
