//! `GET /agents/{id}/performance`: the results of the runs on an agent.

use axum::{Json, extract::State};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use shared::{
    agents::registry::{
        performance::confidence_interval,
        service,
        store::{OutcomeCursor, RunOutcome, StatsByCapability},
    },
    app::App,
    kernel::{
        clock::Time,
        error::ValidationErrors,
        id::{AgentId, SessionId},
        usage::{format_mean_usd, format_usd},
    },
};
use utoipa::{IntoParams, ToSchema};

use crate::http::{
    problem::HandlerResult,
    query::{parse_limit, parse_time},
    request::{Caller, PathId, Query, Viewer},
    response::Items,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PerformanceQuery {
    /// Only results at this time or later (RFC 3339).
    #[param(format = DateTime)]
    since: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// The performance of an agent.
#[derive(Serialize, ToSchema)]
pub(super) struct PerformanceView {
    /// A summary of all results.
    summary: Summary,
    /// A summary for each required capability.
    by_capability: Vec<OfCapability>,
    /// The results, newest first.
    items: Vec<ResultView>,
    /// The `cursor` of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// A summary of results. Values are null while unknown.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = PerformanceSummary)]
struct Summary {
    /// The number of finished tasks.
    finished: i64,
    /// The success rate, 0 to 1; a partial success counts half.
    success_rate: Option<f64>,
    /// The confidence interval of the success rate.
    success_interval: Option<Interval>,
    /// The mean quality, 0 to 1.
    quality: Option<f64>,
    /// The mean duration of a task in milliseconds.
    mean_duration_ms: Option<f64>,
    /// The median duration of a task in milliseconds.
    p50_duration_ms: Option<f64>,
    /// The 95th percentile of the duration of a task in milliseconds.
    p95_duration_ms: Option<f64>,
    /// The cost per success in US dollars, as decimal text.
    cost_per_success_usd: Option<String>,
}

/// The 95 % confidence interval of a success rate (Wilson score interval).
#[derive(Serialize, ToSchema)]
pub(crate) struct Interval {
    /// The lower end of the interval.
    low: f64,
    /// The upper end of the interval.
    high: f64,
}

impl Interval {
    pub(crate) fn of(succeeded: f64, finished: i64) -> Option<Self> {
        confidence_interval(succeeded, finished).map(|(low, high)| Self { low, high })
    }
}

/// The results of sessions that required a capability.
#[derive(Serialize, ToSchema)]
#[schema(as = PerformanceOfCapability)]
struct OfCapability {
    /// The capability.
    capability: String,
    #[serde(flatten)]
    summary: Summary,
}

/// The result of one run.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentResult)]
struct ResultView {
    /// The session; null if it belongs to another tenant.
    session_id: Option<SessionId>,
    /// The number of the run within the session.
    run: Option<i32>,
    /// 1 for success, 0.5 for partial success, 0 for failure.
    success: f64,
    /// The quality of the result, 0 to 1; null if unknown.
    quality: Option<f64>,
    /// The duration of the run in milliseconds.
    duration_ms: i64,
    /// The cost in US dollars, as decimal text.
    cost_usd: String,
    /// The number of tokens that the run used.
    tokens: i64,
    /// The code of the error; null without one.
    error_code: Option<String>,
    /// The capabilities that the session required.
    capabilities: Vec<String>,
    /// When the run ended.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

impl From<&StatsByCapability> for Summary {
    #[expect(clippy::cast_precision_loss, reason = "counts of sessions")]
    fn from(figures: &StatsByCapability) -> Self {
        let StatsByCapability { finished, succeeded, quality, mean_ms, p50_ms, p95_ms, cost_micros, .. } = *figures;
        Self {
            finished,
            success_rate: (finished > 0).then(|| succeeded / finished as f64),
            success_interval: Interval::of(succeeded, finished),
            quality,
            mean_duration_ms: Some(mean_ms),
            p50_duration_ms: Some(p50_ms),
            p95_duration_ms: Some(p95_ms),
            cost_per_success_usd: (succeeded > 0.0).then(|| format_mean_usd(cost_micros / succeeded)),
        }
    }
}

impl From<RunOutcome> for ResultView {
    fn from(outcome: RunOutcome) -> Self {
        let (session_id, run) = outcome.session.unzip();
        Self {
            session_id,
            run,
            success: outcome.success,
            quality: outcome.quality,
            duration_ms: outcome.duration_ms,
            cost_usd: format_usd(outcome.cost_micros),
            tokens: outcome.tokens,
            error_code: outcome.error_code,
            capabilities: outcome.capabilities,
            at: outcome.at,
        }
    }
}

/// Get the performance of an agent
///
/// Returns the results of an agent, newest first, with summaries. For the tenant's own agents they cover the work of
/// all tenants, for other agents the sessions of the tenant.
#[utoipa::path(get, path = "/api/v1/agents/{id}/performance", operation_id = "agent_performance", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent."), PerformanceQuery),
    responses((status = 200, description = "The results and their summaries.",
        body = PerformanceView)))]
pub(super) async fn performance(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<AgentId>,
    Query(query): Query<PerformanceQuery>,
) -> HandlerResult<Json<PerformanceView>> {
    let mut refusals = ValidationErrors::default();
    let since = parse_time(&mut refusals, "since", query.since);
    let limit = parse_limit(&mut refusals, query.limit);
    let after = query.cursor.and_then(|text| refusals.check("cursor", read_cursor(&text)));
    refusals.into_result()?;
    let found = service::agent_performance(&app, &caller, id, since, after, limit + 1).await?;
    let page = Items::rows(found.outcomes, limit, cursor);
    let (all, each): (Vec<_>, Vec<_>) = found.figures.iter().partition(|one| one.capability.is_none());
    let each = each.into_iter().filter_map(|one| Some((one.capability.clone()?, one)));
    Ok(Json(PerformanceView {
        summary: all.first().map_or_else(Summary::default, |one| (*one).into()),
        by_capability: each.map(|(capability, one)| OfCapability { capability, summary: one.into() }).collect(),
        items: page.items.into_iter().map(ResultView::from).collect(),
        next_cursor: page.next_cursor,
    }))
}

fn cursor(last: &RunOutcome) -> String {
    format!("{}_{}", last.at.timestamp_micros(), last.id)
}

fn read_cursor(text: &str) -> Result<OutcomeCursor, String> {
    let read = || {
        let (at, id) = text.split_once('_')?;
        // Up to the year 9999, which Postgres can compare with.
        let micros = at.parse().ok().filter(|micros| (0..253_402_300_800_000_000).contains(micros))?;
        Some((DateTime::from_timestamp_micros(micros)?, id.parse().ok()?))
    };
    read().ok_or_else(|| "is not a cursor of this list".to_owned())
}
