//! `GET /audit/export`: the whole log, oldest first, as one JSON document per line.

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use shared::{
    app::App,
    identity::{
        audit::{service, store::AuditRecord},
        auth::Caller as AuthenticatedCaller,
    },
    kernel::error::{Error, Result, ValidationErrors},
};
use utoipa::IntoParams;

use crate::http::{
    problem::HandlerResult,
    query::parse_one,
    request::{Caller, Lead, Query},
};

/// How many entries are read at once.
const PAGE: i64 = 1000;

/// How many entries one export holds where answers are not streamed: they stay far below what a function may answer.
const MOST_UNSTREAMED: i64 = 3000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// Only entries with a higher number, to continue an export.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
}

/// Export the audit log
///
/// Returns the audit log of the tenant, oldest first, with one JSON document per line. Behind API Gateway an export
/// holds at most 3000 entries; continue with `after`. Requires the role lead.
#[utoipa::path(get, path = "/api/v1/audit/export", operation_id = "export_audit", tag = "audit", params(ExportQuery),
    responses((status = 200, description = "The entries, one per line.",
        body = AuditRecord, content_type = "application/x-ndjson")))]
pub(super) async fn export(
    State(app): State<App>,
    caller: Caller<Lead>,
    Query(query): Query<ExportQuery>,
) -> HandlerResult<Response> {
    let mut refusals = ValidationErrors::default();
    let after: i64 = parse_one(&mut refusals, "after", query.after, "is not the number of an entry").unwrap_or(0);
    refusals.into_result()?;
    let most = if app.settings.streams { i64::MAX } else { MOST_UNSTREAMED };
    let pages = pages(app, (*caller).clone(), after, most);
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.jsonl\""),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn pages(
    app: App,
    caller: AuthenticatedCaller,
    after: i64,
    most: i64,
) -> impl futures_util::Stream<Item = Result<Bytes>> {
    let first = (after, most);
    stream::try_unfold(first, move |(after, left)| {
        let (app, caller) = (app.clone(), caller.clone());
        async move {
            let page = service::list_after(&app, &caller, after, PAGE.min(left)).await?;
            let Some(last) = page.last().map(|entry| entry.seq) else { return Ok(None) };
            let left = left - i64::try_from(page.len()).unwrap_or(left);
            Ok(Some((lines(&page)?, (last, left))))
        }
    })
    .inspect_err(|error: &Error| tracing::error!(?error, "an export of the audit log broke off"))
    .boxed()
}

fn lines(page: &[AuditRecord]) -> Result<Bytes> {
    let mut text = Vec::new();
    for entry in page {
        serde_json::to_writer(&mut text, entry)?;
        text.push(b'\n');
    }
    Ok(text.into())
}
