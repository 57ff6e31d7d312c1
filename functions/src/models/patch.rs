//! `PATCH /models/{name}/versions/{version}`: changes the notes of a version, or archives it.

use axum::{Json as JsonResponse, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    kernel::error::ValidationErrors,
    models::registry::{
        draft::parse_notes,
        service::{self, Patch},
    },
};
use utoipa::ToSchema;

use crate::{
    http::{
        problem::HandlerResult,
        query::double_option,
        request::{Caller, Json, Lead},
    },
    models::{named::OfVersion, view::VersionView},
};

/// The changes to a model version. Absent fields keep their value; null removes a value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelVersionPatch {
    /// Notes for people.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, max_length = 4000)]
    notes: Option<Option<String>>,
    /// Whether the version is archived. No alias can point at an archived version, and no session runs on it.
    archived: Option<bool>,
}

/// Update a model version
///
/// Changes the notes of a version, or archives and restores it. Requires the role lead.
#[utoipa::path(patch, path = "/api/v1/models/{name}/versions/{version}", operation_id = "patch_model_version", tag = "models",
    request_body = ModelVersionPatch, params(("name" = String, Path, description = "The name of the model."), ("version" = String, Path, description = "The version, such as `1.2.0`.")),
    responses((status = 200, description = "The updated version.", body = VersionView)))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Lead>,
    OfVersion(name, version): OfVersion,
    Json(sent): Json<ModelVersionPatch>,
) -> HandlerResult<JsonResponse<VersionView>> {
    let mut refused = ValidationErrors::default();
    let notes = sent.notes.and_then(|text| refused.check("notes", text.map(parse_notes).transpose()));
    refused.into_result()?;
    let patch = Patch { notes, archived: sent.archived };
    let version = service::patch_version(&app, &caller, &name, &version, patch).await?;
    Ok(JsonResponse(VersionView::of(&app, version)))
}
