//! `POST /sessions/{id}/complete`: who drives the session reports that it is done.

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use shared::{
    app::App,
    error::Refusals,
    session::{
        draft::{MAX_JSON_DEPTH, has_nul, is_deeper},
        outcome::Outcome,
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

/// What came of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Completion {
    /// Any JSON, of at most 64 KiB and 32 levels.
    #[schema(value_type = Object)]
    result: Value,
    #[schema(minimum = 0, maximum = 1)]
    success_rate: Option<f64>,
    #[schema(minimum = 0, maximum = 1)]
    confidence_score: Option<f64>,
}

#[utoipa::path(post, path = "/api/v1/sessions/{id}/complete", operation_id = "complete_session", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    request_body = Completion, responses((status = 200, description = "It is completed.", body = SessionView), Problems))]
pub(super) async fn complete(
    State(app): State<App>,
    caller: Caller<Member>,
    Id(id): Id,
    Json(done): Json<Completion>,
) -> Answer<After> {
    let mut refusals = Refusals::default();
    for (field, share) in [("success_rate", done.success_rate), ("confidence_score", done.confidence_score)] {
        if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            refusals.add(field, "must be 0 to 1");
        }
    }
    if done.result.to_string().len() > 64 * 1024 || has_nul(&done.result) {
        refusals.add("result", "must have at most 64 KiB as JSON, without NUL characters");
    }
    if is_deeper(&done.result, MAX_JSON_DEPTH) {
        refusals.add("result", format!("must be at most {MAX_JSON_DEPTH} levels deep"));
    }
    refusals.finish()?;
    let (success_rate, confidence_score) = (done.success_rate, done.confidence_score);
    let outcome = Outcome { result: Some(done.result), error: None, success_rate, confidence_score };
    Ok(After::of(&app, service::complete(&app, &caller, id, outcome).await?))
}
