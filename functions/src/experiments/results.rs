//! `GET /experiments/{id}/results`: what came of the arms, and what may be concluded from it.

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{
    app::App,
    experiment::{
        Experiment, Metric, Status, service,
        statistics::{ALPHA, Interval, per_pair},
        verdict::{Comparison, Figures, Known, Verdict},
    },
    id::ExperimentId,
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Named, Viewer},
};

/// What came of an experiment so far. Every interval holds at all times at once: looking often is no mistake.
#[derive(Serialize, ToSchema)]
#[schema(as = ExperimentResults)]
pub(super) struct ResultsView {
    experiment_id: ExperimentId,
    status: Status,
    arms: Vec<ArmResults>,
    comparisons: Vec<ComparisonView>,
    /// The arm that is better than every other one: as it was first called, else as it shows now.
    winner: Option<String>,
    sample_ratio: SampleRatio,
    warnings: Vec<String>,
}

/// What came of the sessions of an arm; null where nothing is known.
#[derive(Serialize, ToSchema)]
struct ArmResults {
    name: String,
    weight: i32,
    stopped: bool,
    /// Trees of sessions that were assigned to it.
    trees: i64,
    /// Sessions that ended and tell something.
    sessions: i64,
    /// 0..1, of the first session of each tree; part of the work counts half.
    success_rate: Option<f64>,
    success_interval: IntervalView,
    /// Means per session.
    cost_usd: Option<f64>,
    duration_seconds: Option<f64>,
    tokens: Option<f64>,
}

/// What is not ruled out.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfidenceInterval)]
struct IntervalView {
    low: f64,
    high: f64,
    /// How sure it is, over all times and, of comparisons, for each of them.
    confidence: f64,
}

impl IntervalView {
    fn of(interval: Interval, alpha: f64) -> Self {
        Self { low: interval.low, high: interval.high, confidence: 1.0 - alpha }
    }
}

/// Two arms against each other.
#[derive(Serialize, ToSchema)]
#[schema(as = ArmComparison)]
struct ComparisonView {
    a: String,
    b: String,
    /// How many trees of each stand against each other.
    pairs: i64,
    /// The success rate of b less that of a.
    difference: Option<f64>,
    interval: IntervalView,
    /// Known once the interval leaves zero out.
    better: Option<String>,
}

/// Whether the trees are spread over the arms as the weights say.
#[derive(Serialize, ToSchema)]
struct SampleRatio {
    /// Holds at all times at once.
    p_value: f64,
    /// Something is wrong with the assignment: nothing can be concluded.
    mismatch: bool,
}

fn arms(experiment: &Experiment, known: &Known) -> Vec<ArmResults> {
    let none = Figures::default();
    let of_arm = |arm: &shared::experiment::Arm| {
        let figures = known.arms.get(arm.name.as_str()).unwrap_or(&none);
        ArmResults {
            name: arm.name.to_string(),
            weight: arm.weight,
            stopped: !arm.is_active(),
            trees: figures.trees,
            sessions: figures.sessions,
            success_rate: figures.success_rate(),
            success_interval: IntervalView::of(figures.success_interval(), ALPHA),
            cost_usd: figures.mean(Metric::CostUsd),
            duration_seconds: figures.mean(Metric::DurationSeconds),
            tokens: figures.mean(Metric::Tokens),
        }
    };
    experiment.arms.iter().map(of_arm).collect()
}

fn compared(comparisons: Vec<Comparison>, alpha: f64) -> Vec<ComparisonView> {
    let view = |Comparison { a, b, pairs, difference, interval, better }| ComparisonView {
        a,
        b,
        pairs,
        difference,
        interval: IntervalView::of(interval, alpha),
        better,
    };
    comparisons.into_iter().map(view).collect()
}

#[utoipa::path(get, path = "/api/v1/experiments/{id}/results", operation_id = "get_experiment_results", tag = "experiments",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "What is known so far.", body = ResultsView), Problems))]
pub(super) async fn results(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<ExperimentId>,
) -> Answer<Json<ResultsView>> {
    let (experiment, known, verdict) = service::results(&app, &caller, id).await?;
    let Verdict { comparisons, mismatch_p: p_value, mismatch, winner, .. } = verdict;
    let told = "The sessions are not spread over the arms as the weights say: nothing can be concluded.";
    Ok(Json(ResultsView {
        experiment_id: id,
        status: experiment.status,
        arms: arms(&experiment, &known),
        comparisons: compared(comparisons, per_pair(ALPHA, experiment.arms.len())),
        winner: experiment.winner.or(winner),
        sample_ratio: SampleRatio { p_value, mismatch },
        warnings: mismatch.then(|| told.to_owned()).into_iter().collect(),
    }))
}
