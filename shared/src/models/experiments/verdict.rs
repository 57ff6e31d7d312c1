//! The conclusions from the results of an experiment: violated guardrails, and the winner. Pure.

use std::collections::BTreeMap;

use super::{
    Arm, Experiment, Guardrail, Metric,
    statistics::{self, ALPHA, Interval, MISMATCH_ALPHA, Sign, Tally, WHOLE, per_pair},
};

/// The results of the sessions of an arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmStats {
    /// The number of session trees assigned to it.
    pub trees: i64,
    pub sessions: i64,
    /// A histogram of the success of the first session of each tree, in halves.
    pub successes: BTreeMap<i32, i64>,
    pub cost_micros: i64,
    pub duration_ms: i64,
    pub tokens: i64,
}

impl ArmStats {
    /// The number of trees with a known success.
    pub fn count_judged(&self) -> i64 {
        self.successes.values().sum()
    }

    pub fn success_rate(&self) -> Option<f64> {
        let halves: f64 = self.successes.iter().map(|(halves, times)| f64::from(*halves) * to_real(*times)).sum();
        (self.count_judged() > 0).then(|| halves / (f64::from(WHOLE) * to_real(self.count_judged())))
    }

    /// The confidence interval of the success rate.
    pub fn success_interval(&self) -> Interval {
        statistics::share_interval(&self.successes, ALPHA)
    }

    /// The mean per session of the metric of a guardrail.
    pub fn mean(&self, metric: Metric) -> Option<f64> {
        let per_session = |sum: f64| (self.sessions > 0).then(|| sum / to_real(self.sessions));
        match metric {
            Metric::SuccessRate => self.success_rate(),
            Metric::CostUsd => per_session(to_real(self.cost_micros)).map(|micros| micros / 1e6),
            Metric::DurationSeconds => per_session(to_real(self.duration_ms) / 1e3),
            Metric::Tokens => per_session(to_real(self.tokens)),
        }
    }

    /// Why a guardrail stops an arm, if it does.
    fn breaks_guardrail(&self, guardrail: &Guardrail) -> Option<String> {
        let known = if guardrail.metric == Metric::SuccessRate { self.count_judged() } else { self.sessions };
        let mean = self.mean(guardrail.metric).filter(|_| known >= guardrail.min_sessions)?;
        let low = guardrail.metric == Metric::SuccessRate;
        let broken = if low { mean < guardrail.limit } else { mean > guardrail.limit };
        let side = if low { "below" } else { "above" };
        let name = guardrail.metric.name();
        broken.then(|| format!("{name} is {mean:.4} after {known} sessions, {side} the limit of {}", guardrail.limit))
    }
}

/// A comparison of two arms: the difference in success of the second.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub a: String,
    pub b: String,
    /// The number of compared trees of each arm.
    pub pairs: i64,
    pub difference: Option<f64>,
    pub interval: Interval,
    pub better: Option<String>,
}

/// The results of an experiment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmTallies {
    /// By the name of the arm.
    pub arms: BTreeMap<String, ArmStats>,
    /// The difference in success of two arms (second minus first), by their ordered names.
    pub pairs: BTreeMap<(String, String), Tally>,
}

/// The conclusions from the results.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmVerdict {
    pub comparisons: Vec<Comparison>,
    /// The p-value of the hypothesis that trees are distributed by the weights.
    pub mismatch_p: f64,
    pub mismatch: bool,
    /// The arm that is better than every other arm that was not stopped.
    pub winner: Option<String>,
    /// The arms that violate a guardrail, with the reason.
    pub broken: Vec<(String, String)>,
}

impl ArmVerdict {
    pub fn evaluate_arms(experiment: &Experiment, known: &ArmTallies) -> Self {
        let alpha = per_pair(ALPHA, experiment.arms.len());
        let comparisons: Vec<_> = known.pairs.iter().map(|(arms, tally)| compare_arms(arms, tally, alpha)).collect();
        let active: Vec<&Arm> = experiment.arms.iter().filter(|arm| arm.is_active()).collect();
        let none = ArmStats::default();
        let figures = |arm: &Arm| known.arms.get(arm.name.as_str()).unwrap_or(&none);
        let counts: Vec<_> = active.iter().map(|arm| figures(arm).trees).collect();
        let weights: Vec<_> = active.iter().map(|arm| arm.weight).collect();
        let mismatch_p = if active.is_empty() { 1.0 } else { statistics::ratio_mismatch(&counts, &weights) };
        let mismatch = mismatch_p < MISMATCH_ALPHA;
        let is_better = |arm: &Arm, other: &Arm| {
            let of_both = |one: &&Comparison| {
                let names = [one.a.as_str(), one.b.as_str()];
                names.contains(&arm.name.as_str()) && names.contains(&other.name.as_str())
            };
            comparisons.iter().find(of_both).is_some_and(|one| one.better.as_deref() == Some(arm.name.as_str()))
        };
        let wins =
            |arm: &&&Arm| active.iter().filter(|other| other.name != arm.name).all(|other| is_better(arm, other));
        let alone = active.len() < 2;
        let winner = active.iter().find(wins).filter(|_| !mismatch && !alone).map(|arm| arm.name.to_string());
        let broken = active.iter().filter_map(|arm| {
            let why = experiment.guardrails.iter().find_map(|guardrail| figures(arm).breaks_guardrail(guardrail))?;
            Some((arm.name.to_string(), why))
        });
        let broken = broken.collect();
        Self { comparisons, mismatch_p, mismatch, winner, broken }
    }
}

fn compare_arms((a, b): &(String, String), tally: &Tally, alpha: f64) -> Comparison {
    let better = tally.sign(alpha).map(|sign| if sign == Sign::Above { b } else { a }).cloned();
    let (a, b) = (a.clone(), b.clone());
    Comparison { a, b, pairs: tally.count(), difference: tally.mean(), interval: tally.interval(alpha), better }
}

#[expect(clippy::cast_precision_loss, reason = "counts and sums of sessions, far below 2^52")]
fn to_real(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
