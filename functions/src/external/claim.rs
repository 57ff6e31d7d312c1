//! `POST /agents/external/{id}/tasks/claim`: leases work to an agent that pulls; waits for it, if asked to.

use std::time::Duration;

use axum::{
    Json as Body,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    error::Refusals,
    external::{MAX_CLAIM, MAX_WAIT, service, task::Leased},
};
use utoipa::ToSchema;

use crate::{
    bounds::TimeLeft,
    problem::{Answer, Problems},
    request::{Agent, OptionalJson},
};

/// What is kept of a request's time to answer it.
const MARGIN: Duration = Duration::from_secs(2);

/// How much work is wanted.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    /// How long to wait for work that is not there yet; 0 when absent.
    #[schema(minimum = 0, maximum = 20)]
    wait_seconds: Option<f64>,
    /// 1 when absent.
    #[schema(minimum = 1, maximum = 10)]
    max: Option<i64>,
}

/// Work that was leased.
#[derive(Serialize, ToSchema)]
pub(super) struct Claimed {
    tasks: Vec<Leased>,
}

#[utoipa::path(post, path = "/api/v1/agents/external/{id}/tasks/claim", operation_id = "claim_external_tasks", tag = "external agents",
    request_body = Option<Claim>, params(("id" = uuid::Uuid, Path)), security(("agent_token" = [])),
    responses((status = 200, description = "Tasks, oldest first, each with its lease.", body = Claimed),
        (status = 204, description = "There is no work."), Problems))]
pub(super) async fn claim(
    State(app): State<App>,
    Agent(agent): Agent,
    TimeLeft(left): TimeLeft,
    OptionalJson(claim): OptionalJson<Claim>,
) -> Answer<Response> {
    let mut refused = Refusals::default();
    let wait = Duration::try_from_secs_f64(claim.wait_seconds.unwrap_or(0.0)).ok().filter(|wait| *wait <= MAX_WAIT);
    let wait = refused.take("wait_seconds", wait.ok_or_else(|| format!("must be 0 to {}", MAX_WAIT.as_secs())));
    let most = i32::try_from(claim.max.unwrap_or(1)).ok().filter(|most| (1..=MAX_CLAIM).contains(most));
    let most = refused.take("max", most.ok_or_else(|| format!("must be 1 to {MAX_CLAIM}")));
    refused.finish()?;
    let wait = wait.unwrap_or_default().min(left.saturating_sub(MARGIN));
    let tasks = Box::pin(service::claim(&app, &agent, most.unwrap_or(1), wait)).await?;
    if tasks.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Body(Claimed { tasks }).into_response())
}
