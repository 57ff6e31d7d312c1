//! `PATCH /models/{name}/versions/{version}`: notes on a version, and whether it is archived.

use axum::{Json as Shown, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    error::Refusals,
    model::{
        draft::notes,
        service::{self, Patch},
    },
};
use utoipa::ToSchema;

use crate::{
    models::{named::OfVersion, view::VersionView},
    problem::{Answer, Problems},
    query::given,
    request::{Caller, Json, Lead},
};

/// What is to be changed; what is left out stays, and a null takes away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelVersionPatch {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 4000)]
    notes: Option<Option<String>>,
    /// No alias can point at an archived version, and no session runs on it. False brings it back.
    archived: Option<bool>,
}

#[utoipa::path(patch, path = "/api/v1/models/{name}/versions/{version}", operation_id = "patch_model_version", tag = "models",
    request_body = ModelVersionPatch, params(("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "It was changed.", body = VersionView), Problems))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Lead>,
    OfVersion(name, version): OfVersion,
    Json(sent): Json<ModelVersionPatch>,
) -> Answer<Shown<VersionView>> {
    let mut refused = Refusals::default();
    let notes = sent.notes.and_then(|text| refused.take("notes", text.map(notes).transpose()));
    refused.finish()?;
    let patch = Patch { notes, archived: sent.archived };
    let version = service::patch(&app, &caller, &name, &version, patch).await?;
    Ok(Shown(VersionView::of(&app, version)))
}
