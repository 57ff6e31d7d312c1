//! `GET, POST /sessions/{id}/checkpoints`: the points that a session can be taken back to, and one more on request.

use axum::{Json as Body, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    error::Refusals,
    session::{draft::small_json, service, store::Checkpoint},
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    reply::Items,
    request::{Caller, Id, Member, OptionalJson, Viewer},
};

/// What is kept with a checkpoint on request.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCheckpoint {
    /// At most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    data: Option<Map<String, Value>>,
    #[schema(max_length = 1000)]
    note: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/sessions/{id}/checkpoints", operation_id = "list_session_checkpoints", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The newest 100, newest first.", body = Items<Checkpoint>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Id(id): Id,
) -> Answer<Body<Items<Checkpoint>>> {
    Ok(Body(Items::all(service::checkpoints(&app, &caller, id).await?)))
}

#[utoipa::path(post, path = "/api/v1/sessions/{id}/checkpoints", operation_id = "take_session_checkpoint", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    request_body = Option<NewCheckpoint>, responses((status = 201, description = "It was taken.", body = Checkpoint), Problems))]
pub(super) async fn take(
    State(app): State<App>,
    caller: Caller<Member>,
    Id(id): Id,
    OptionalJson(new): OptionalJson<NewCheckpoint>,
) -> Answer<(StatusCode, Body<Checkpoint>)> {
    let mut refusals = Refusals::default();
    if let Some(Err(why)) = new.data.as_ref().map(small_json) {
        refusals.add("data", why);
    }
    if new.note.as_ref().is_some_and(|note| note.chars().count() > 1000 || note.contains('\0')) {
        refusals.add("note", "must have at most 1000 characters, none of them NUL");
    }
    refusals.finish()?;
    let taken = service::take_checkpoint(&app, &caller, id, new.data.map(Value::Object), new.note).await?;
    Ok((StatusCode::CREATED, Body(taken)))
}
