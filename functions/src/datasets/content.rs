//! `GET /fine-tuning/datasets/{id}/content`: one file of a dataset, as it is stored.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use shared::{
    app::App,
    kernel::{error::Error, id::DatasetId},
    training::{
        datasets::{Split, service},
        trainers::TrainingFile,
    },
};
use utoipa::IntoParams;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, PathId, Query, Viewer},
    response::DOWNLOAD_URL_LIFETIME,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ContentQuery {
    /// The part of the dataset.
    #[param(value_type = Option<Split>)]
    split: Option<String>,
}

/// Download a dataset
///
/// Returns one file of a dataset as JSON lines. Behind API Gateway the answer is a redirect to the file store.
#[utoipa::path(get, path = "/api/v1/fine-tuning/datasets/{id}/content", operation_id = "get_dataset_content", tag = "fine-tuning",
    params(("id" = uuid::Uuid, Path, description = "The id of the dataset."), ContentQuery,
        ("If-None-Match" = Option<String>, Header, description = "The hash of the file that the caller has.")),
    responses(
        (status = 200, description = "The samples, one per line; empty if there are no held-out samples.", content_type = "application/jsonl", body = String,
            headers(("ETag" = String, description = "The SHA-256 of the file."))),
        (status = 304, description = "The file has the hash that the caller named."),
        (status = 307, description = "The file is at `Location`, without a credential, for five minutes.",
            headers(("Location" = String, description = "A URL of the file store.")))))]
pub(super) async fn content(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<DatasetId>,
    Query(query): Query<ContentQuery>,
    headers: HeaderMap,
) -> HandlerResult<Response> {
    let split = query.split.as_deref().unwrap_or(Split::Training.name());
    let split = Split::parse(split).ok_or_else(|| Error::invalid_field("split", "must be training or held_out"))?;
    let Some(file) = service::find_file(&app, &caller, id, split).await? else {
        return Ok(([(header::CONTENT_TYPE, JSON_LINES)], Body::empty()).into_response());
    };
    let etag = format!("\"{}\"", file.sha256);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| matches(known, &etag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    // An answer in one piece has a limit, and a dataset has none.
    if !app.settings.streams
        && let Some(place) = app.files.signed_url(&file.key, DOWNLOAD_URL_LIFETIME).await?
    {
        return Ok(Redirect::temporary(&place).into_response());
    }
    let name = format!("{id}-{}.jsonl", split.name());
    streamed(&app, &file, &etag, &name).await
}

const JSON_LINES: HeaderValue = HeaderValue::from_static("application/jsonl");

async fn streamed(app: &App, file: &TrainingFile, etag: &str, name: &str) -> HandlerResult<Response> {
    let body = Body::from_stream(service::read_content(app, file).await?);
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
