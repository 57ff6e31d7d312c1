//! `GET /agents/{id}/performance`: what came of an agent's work.

use axum::{Json, extract::State};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use shared::{
    agent::{
        service,
        standing::confidence_interval,
        store::{After, InFigures, Outcome},
    },
    app::App,
    clock::Time,
    error::Refusals,
    id::{AgentId, SessionId},
    session::usage::usd,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    agents::view::dollars,
    problem::{Answer, Problems},
    query::{limit, time},
    reply::Items,
    request::{Caller, Named, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PerformanceQuery {
    /// Only what came since then.
    #[param(format = DateTime)]
    since: Option<String>,
    /// How many results at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What came of an agent's work: the results, newest first, and all of them in figures.
#[derive(Serialize, ToSchema)]
pub(super) struct PerformanceView {
    summary: Summary,
    /// The same of the results of sessions that asked for a capability.
    by_capability: Vec<OfCapability>,
    items: Vec<ResultView>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

/// Results in figures; null where nothing is known.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = PerformanceSummary)]
struct Summary {
    finished: i64,
    /// 0..1; a partial success is half of one.
    success_rate: Option<f64>,
    success_interval: Option<Interval>,
    /// 0..1.
    quality: Option<f64>,
    mean_duration_ms: Option<f64>,
    p50_duration_ms: Option<f64>,
    p95_duration_ms: Option<f64>,
    /// In dollars, as decimal text.
    cost_per_success_usd: Option<String>,
}

/// Where the share of successes lies with a confidence of 95 % (Wilson's score interval).
#[derive(Serialize, ToSchema)]
pub(crate) struct Interval {
    low: f64,
    high: f64,
}

impl Interval {
    pub(crate) fn of(succeeded: f64, finished: i64) -> Option<Self> {
        confidence_interval(succeeded, finished).map(|(low, high)| Self { low, high })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = PerformanceOfCapability)]
struct OfCapability {
    capability: String,
    #[serde(flatten)]
    summary: Summary,
}

/// What came of one run.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentResult)]
struct ResultView {
    /// Null when it was a session of another tenant.
    session_id: Option<SessionId>,
    run: Option<i32>,
    /// 1, 0.5 when part of the work stands, 0.
    success: f64,
    quality: Option<f64>,
    duration_ms: i64,
    cost_usd: String,
    tokens: i64,
    error_code: Option<String>,
    /// What was asked for.
    capabilities: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

impl From<&InFigures> for Summary {
    #[expect(clippy::cast_precision_loss, reason = "counts of sessions")]
    fn from(figures: &InFigures) -> Self {
        let InFigures { finished, succeeded, quality, mean_ms, p50_ms, p95_ms, cost_micros, .. } = *figures;
        Self {
            finished,
            success_rate: (finished > 0).then(|| succeeded / finished as f64),
            success_interval: Interval::of(succeeded, finished),
            quality,
            mean_duration_ms: Some(mean_ms),
            p50_duration_ms: Some(p50_ms),
            p95_duration_ms: Some(p95_ms),
            cost_per_success_usd: (succeeded > 0.0).then(|| dollars(cost_micros / succeeded)),
        }
    }
}

impl From<Outcome> for ResultView {
    fn from(outcome: Outcome) -> Self {
        let (session_id, run) = outcome.session.unzip();
        Self {
            session_id,
            run,
            success: outcome.success,
            quality: outcome.quality,
            duration_ms: outcome.duration_ms,
            cost_usd: usd(outcome.cost_micros),
            tokens: outcome.tokens,
            error_code: outcome.error_code,
            capabilities: outcome.capabilities,
            at: outcome.at,
        }
    }
}

#[utoipa::path(get, path = "/api/v1/agents/{id}/performance", operation_id = "agent_performance", tag = "agents",
    params(("id" = uuid::Uuid, Path), PerformanceQuery),
    responses((status = 200, description = "Of the tenant's own agent all results, else those of the tenant's own sessions.",
        body = PerformanceView), Problems))]
pub(super) async fn performance(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<AgentId>,
    Query(query): Query<PerformanceQuery>,
) -> Answer<Json<PerformanceView>> {
    let mut refusals = Refusals::default();
    let since = time(&mut refusals, "since", query.since);
    let limit = limit(&mut refusals, query.limit);
    let after = query.cursor.and_then(|text| refusals.take("cursor", read_cursor(&text)));
    refusals.finish()?;
    let found = service::performance(&app, &caller, id, since, after, limit + 1).await?;
    let page = Items::page(found.outcomes, limit, cursor);
    let (all, each): (Vec<_>, Vec<_>) = found.figures.iter().partition(|one| one.capability.is_none());
    let each = each.into_iter().filter_map(|one| Some((one.capability.clone()?, one)));
    Ok(Json(PerformanceView {
        summary: all.first().map_or_else(Summary::default, |one| (*one).into()),
        by_capability: each.map(|(capability, one)| OfCapability { capability, summary: one.into() }).collect(),
        items: page.items.into_iter().map(ResultView::from).collect(),
        next_cursor: page.next_cursor,
    }))
}

fn cursor(last: &Outcome) -> String {
    format!("{}_{}", last.at.timestamp_micros(), last.id)
}

fn read_cursor(text: &str) -> Result<After, String> {
    let read = || {
        let (at, id) = text.split_once('_')?;
        // Up to the year 9999, which Postgres can compare with.
        let micros = at.parse().ok().filter(|micros| (0..253_402_300_800_000_000).contains(micros))?;
        Some((DateTime::from_timestamp_micros(micros)?, id.parse().ok()?))
    };
    read().ok_or_else(|| "is not a cursor of this list".to_owned())
}
