//! `POST /sessions/{id}/fail`: who drives the session reports that it failed.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    error::Refusals,
    session::{
        draft::small_json,
        outcome::{Category, Failure},
        service,
    },
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    reply::After,
    request::{Caller, Id, Json, Member},
    sessions::view::SessionView,
};

/// Why it failed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureReport {
    #[schema(min_length = 1, max_length = 2000)]
    message: String,
    /// A stable word, `AGENT_FAILED` when absent.
    #[schema(max_length = 100)]
    code: Option<String>,
    /// What else belongs to it; kept with the log.
    #[schema(value_type = Option<Object>)]
    context: Option<Map<String, Value>>,
    /// Whether a retry makes sense. True when absent.
    retryable: Option<bool>,
}

#[utoipa::path(post, path = "/api/v1/sessions/{id}/fail", operation_id = "fail_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    request_body = FailureReport, responses((status = 200, description = "It has failed.", body = SessionView), Problems))]
pub(super) async fn fail(
    State(app): State<App>,
    caller: Caller<Member>,
    Id(id): Id,
    Json(report): Json<FailureReport>,
) -> Answer<After> {
    let mut refusals = Refusals::default();
    let message = report.message.trim();
    if !(1..=2000).contains(&message.chars().count()) || message.contains('\0') {
        refusals.add("message", "must have 1 to 2000 characters, none of them NUL");
    }
    let code = report.code.as_deref().unwrap_or("AGENT_FAILED");
    if !(1..=100).contains(&code.len())
        || !code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    {
        refusals.add("code", "must have 1 to 100 characters of A-Z a-z 0-9 _ - .");
    }
    if let Some(Err(why)) = report.context.as_ref().map(small_json) {
        refusals.add("context", why);
    }
    refusals.finish()?;
    let mut failure = Failure::new(Category::Agent, code, message);
    failure.retryable = report.retryable.unwrap_or(true);
    Ok(After::of(&app, service::fail(&app, &caller, id, failure, report.context).await?))
}
