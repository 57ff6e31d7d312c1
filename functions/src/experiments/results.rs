//! `GET /experiments/{id}/results`: the results of the arms and their comparison.

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{
    app::App,
    kernel::{id::ExperimentId, usage::format_mean_usd},
    models::experiments::{
        Experiment, ExperimentStatus, Metric, service,
        statistics::{ALPHA, Interval, per_pair},
        verdict::{ArmStats, ArmTallies, ArmVerdict, Comparison},
    },
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, PathId, Viewer},
};

/// The results of an experiment so far. All intervals are valid at all times, however often they are read.
#[derive(Serialize, ToSchema)]
#[schema(as = ExperimentResults)]
pub(super) struct ResultsView {
    /// The experiment.
    experiment_id: ExperimentId,
    /// The status of the experiment.
    status: ExperimentStatus,
    /// The results of each arm.
    arms: Vec<ArmResults>,
    /// The comparisons of all pairs of arms.
    comparisons: Vec<ComparisonView>,
    /// The arm that is better than all others, as first found; null while there is none.
    winner: Option<String>,
    /// The check of the assignment.
    sample_ratio: SampleRatio,
    /// Warnings about the validity of the results.
    warnings: Vec<String>,
}

/// The results of an arm. Values are null while unknown.
#[derive(Serialize, ToSchema)]
struct ArmResults {
    /// The name of the arm.
    name: String,
    /// The weight of the arm in the assignment.
    weight: i32,
    /// Whether the arm gets no more sessions.
    stopped: bool,
    /// The number of session trees that were assigned to the arm.
    trees: i64,
    /// The number of ended sessions that count.
    sessions: i64,
    /// The success rate of the first session of each tree, 0 to 1; a partial success counts half.
    success_rate: Option<f64>,
    /// The confidence interval of the success rate.
    success_interval: IntervalView,
    /// The mean cost of a session in US dollars, as decimal text.
    cost_usd: Option<String>,
    /// The mean duration of a session in seconds.
    duration_seconds: Option<f64>,
    /// The mean number of tokens of a session.
    tokens: Option<f64>,
}

/// A confidence interval.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfidenceInterval)]
struct IntervalView {
    /// The lower end of the interval.
    low: f64,
    /// The upper end of the interval.
    high: f64,
    /// The confidence of the interval, over all times and, for comparisons, for each of them.
    confidence: f64,
}

impl IntervalView {
    fn of(interval: Interval, alpha: f64) -> Self {
        Self { low: interval.low, high: interval.high, confidence: 1.0 - alpha }
    }
}

/// A comparison of two arms.
#[derive(Serialize, ToSchema)]
#[schema(as = ArmComparison)]
struct ComparisonView {
    /// The name of the first arm.
    a: String,
    /// The name of the second arm.
    b: String,
    /// The number of session trees of each arm that are compared.
    pairs: i64,
    /// The success rate of `b` minus that of `a`; null if unknown.
    difference: Option<f64>,
    /// The confidence interval of the difference.
    interval: IntervalView,
    /// The better arm; null until the interval excludes zero.
    better: Option<String>,
}

/// Whether the session trees are assigned as the weights demand.
#[derive(Serialize, ToSchema)]
struct SampleRatio {
    /// The p-value of the assignment, valid at all times.
    p_value: f64,
    /// Whether the assignment is wrong, so that no conclusion is possible.
    mismatch: bool,
}

fn arms(experiment: &Experiment, known: &ArmTallies) -> Vec<ArmResults> {
    let none = ArmStats::default();
    let of_arm = |arm: &shared::models::experiments::Arm| {
        let figures = known.arms.get(arm.name.as_str()).unwrap_or(&none);
        ArmResults {
            name: arm.name.to_string(),
            weight: arm.weight,
            stopped: !arm.is_active(),
            trees: figures.trees,
            sessions: figures.sessions,
            success_rate: figures.success_rate(),
            success_interval: IntervalView::of(figures.success_interval(), ALPHA),
            cost_usd: figures.mean(Metric::CostUsd).map(|mean| format_mean_usd(mean * 1e6)),
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

/// Get the results of an experiment
///
/// Returns the results of each arm and the comparisons between arms. All intervals are valid at all times, however
/// often they are read.
#[utoipa::path(get, path = "/api/v1/experiments/{id}/results", operation_id = "get_experiment_results", tag = "experiments",
    params(("id" = uuid::Uuid, Path, description = "The id of the experiment.")),
    responses((status = 200, description = "The results so far.", body = ResultsView)))]
pub(super) async fn results(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<ExperimentId>,
) -> HandlerResult<Json<ResultsView>> {
    let (experiment, known, verdict) = service::get_results(&app, &caller, id).await?;
    let ArmVerdict { comparisons, mismatch_p: p_value, mismatch, winner, .. } = verdict;
    let warning = "The sessions are not spread over the arms as the weights say: nothing can be concluded.";
    Ok(Json(ResultsView {
        experiment_id: id,
        status: experiment.status,
        arms: arms(&experiment, &known),
        comparisons: compared(comparisons, per_pair(ALPHA, experiment.arms.len())),
        winner: experiment.winner.or(winner),
        sample_ratio: SampleRatio { p_value, mismatch },
        warnings: mismatch.then(|| warning.to_owned()).into_iter().collect(),
    }))
}
