//! `PATCH /sessions/{id}`: changes the fields that a person may change.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    session::{
        draft::{Patch, RawPatch},
        service,
    },
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    query::given,
    request::{Caller, Id, Json, Member},
    sessions::{create::PriorityInput, view::SessionView},
    version::{IfMatch, One},
};

/// What is to be changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionPatch {
    #[schema(min_length = 1, max_length = 200)]
    title: Option<String>,
    /// Null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    description: Option<Option<String>>,
    #[schema(value_type = Option<PriorityInput>)]
    priority: Option<Value>,
    #[schema(max_items = 20)]
    tags: Option<Vec<String>>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    #[schema(minimum = 60, maximum = 86400)]
    max_duration_seconds: Option<i64>,
}

#[utoipa::path(patch, path = "/api/v1/sessions/{id}", operation_id = "patch_session", tag = "sessions", request_body = SessionPatch,
    params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header, description = "The version that is to be changed.")),
    responses((status = 200, description = "It was changed.", body = SessionView,
        headers(("ETag" = String, description = "Its new version."))), Problems))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Member>,
    Id(id): Id,
    IfMatch(version): IfMatch,
    Json(new): Json<SessionPatch>,
) -> Answer<One<SessionView>> {
    let patch = Patch::parse(RawPatch {
        title: new.title,
        description: new.description,
        priority: new.priority,
        tags: new.tags,
        metadata: new.metadata,
        max_duration_seconds: new.max_duration_seconds,
    })?;
    let found = service::patch(&app, &caller, id, patch, version).await?;
    Ok(One(SessionView::of(&app, found)))
}
