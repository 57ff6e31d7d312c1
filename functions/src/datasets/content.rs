//! `GET /fine-tuning/datasets/{id}/content`: one file of a dataset, as it lies in the file store.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use shared::{
    app::App,
    dataset::{Split, service},
    error::Error,
    id::DatasetId,
    trainer::TrainingFile,
};
use utoipa::IntoParams;

use crate::{
    problem::{Answer, Problems},
    reply::PLACE_VALID,
    request::{Caller, Named, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ContentQuery {
    /// training when absent.
    #[param(value_type = Option<Split>)]
    split: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/fine-tuning/datasets/{id}/content", operation_id = "get_dataset_content", tag = "fine-tuning",
    params(("id" = uuid::Uuid, Path), ContentQuery,
        ("If-None-Match" = Option<String>, Header, description = "The hash that the caller has already.")),
    responses(
        (status = 200, description = "JSON lines; empty when nothing is held out.", content_type = "application/jsonl", body = String,
            headers(("ETag" = String, description = "The SHA-256 of the file."))),
        (status = 304, description = "The caller has it."),
        (status = 307, description = "Behind API Gateway: where to fetch it within five minutes, without a credential.",
            headers(("Location" = String, description = "A place of the file store."))),
        Problems))]
pub(super) async fn content(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<DatasetId>,
    Query(query): Query<ContentQuery>,
    headers: HeaderMap,
) -> Answer<Response> {
    let split = query.split.as_deref().unwrap_or(Split::Training.name());
    let split = Split::parse(split).ok_or_else(|| Error::field("split", "must be training or held_out"))?;
    let Some(file) = service::file(&app, &caller, id, split).await? else {
        return Ok(([(header::CONTENT_TYPE, JSON_LINES)], Body::empty()).into_response());
    };
    let etag = format!("\"{}\"", file.sha256);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| matches(known, &etag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    // An answer in one piece has a limit, and a dataset has none.
    if !app.settings.streams
        && let Some(place) = app.files.signed_url(&file.key, PLACE_VALID).await?
    {
        return Ok(Redirect::temporary(&place).into_response());
    }
    let name = format!("{id}-{}.jsonl", split.name());
    streamed(&app, &file, &etag, &name).await
}

const JSON_LINES: HeaderValue = HeaderValue::from_static("application/jsonl");

async fn streamed(app: &App, file: &TrainingFile, etag: &str, name: &str) -> Answer<Response> {
    let body = Body::from_stream(service::content(app, file).await?);
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl".to_owned()),
        (header::CONTENT_LENGTH, file.bytes.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::ETAG, etag.to_owned()),
    ];
    Ok((headers, body).into_response())
}

/// Whether a caller has what stands behind this tag.
fn matches(known: &HeaderValue, etag: &str) -> bool {
    let known = known.to_str().unwrap_or_default();
    known.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == etag || tag == "*")
}
