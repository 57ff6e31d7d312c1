//! What follows from the figures of an experiment: which guardrails are broken, and whether there is a winner. Pure.

use std::collections::BTreeMap;

use super::{
    Arm, Experiment, Guardrail, Metric,
    statistics::{self, ALPHA, Interval, MISMATCH_ALPHA, Sign, Tally, WHOLE, per_pair},
};

/// What came of the sessions of an arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Trees that were assigned to it.
    pub trees: i64,
    pub sessions: i64,
    /// How often the first session of a tree came to so many halves of a success.
    pub successes: BTreeMap<i32, i64>,
    pub cost_micros: i64,
    pub duration_ms: i64,
    pub tokens: i64,
}

impl Figures {
    /// Of how many trees the success is known.
    pub fn judged(&self) -> i64 {
        self.successes.values().sum()
    }

    pub fn success_rate(&self) -> Option<f64> {
        let halves: f64 = self.successes.iter().map(|(halves, times)| f64::from(*halves) * real(*times)).sum();
        (self.judged() > 0).then(|| halves / (f64::from(WHOLE) * real(self.judged())))
    }

    /// The success rates that are not ruled out.
    pub fn success_interval(&self) -> Interval {
        statistics::share(&self.successes, ALPHA)
    }

    /// The mean per session of what a guardrail looks at.
    pub fn mean(&self, metric: Metric) -> Option<f64> {
        let per_session = |sum: f64| (self.sessions > 0).then(|| sum / real(self.sessions));
        match metric {
            Metric::SuccessRate => self.success_rate(),
            Metric::CostUsd => per_session(real(self.cost_micros)).map(|micros| micros / 1e6),
            Metric::DurationSeconds => per_session(real(self.duration_ms) / 1e3),
            Metric::Tokens => per_session(real(self.tokens)),
        }
    }

    /// Why a guardrail stops an arm with these figures.
    fn breaks(&self, guardrail: &Guardrail) -> Option<String> {
        let known = if guardrail.metric == Metric::SuccessRate { self.judged() } else { self.sessions };
        let mean = self.mean(guardrail.metric).filter(|_| known >= guardrail.min_sessions)?;
        let low = guardrail.metric == Metric::SuccessRate;
        let broken = if low { mean < guardrail.limit } else { mean > guardrail.limit };
        let side = if low { "below" } else { "above" };
        let name = guardrail.metric.name();
        broken.then(|| format!("{name} is {mean:.4} after {known} sessions, {side} the limit of {}", guardrail.limit))
    }
}

/// Two arms against each other: by how much the second is better, as far as is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub a: String,
    pub b: String,
    /// How many trees of each stand against each other.
    pub pairs: i64,
    pub difference: Option<f64>,
    pub interval: Interval,
    pub better: Option<String>,
}

/// What is known of a whole experiment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// By the name of the arm.
    pub arms: BTreeMap<String, Figures>,
    /// The second arm's success less the first's, by the names of both in their order.
    pub pairs: BTreeMap<(String, String), Tally>,
}

/// What follows from what is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub comparisons: Vec<Comparison>,
    /// How unlikely the trees are spread over the arms by their weights.
    pub mismatch_p: f64,
    pub mismatch: bool,
    /// The arm that is better than every other one that is not stopped.
    pub winner: Option<String>,
    /// The arms that break a guardrail, and how.
    pub broken: Vec<(String, String)>,
}

impl Verdict {
    pub fn of(experiment: &Experiment, known: &Known) -> Self {
        let alpha = per_pair(ALPHA, experiment.arms.len());
        let comparisons: Vec<_> = known.pairs.iter().map(|(arms, tally)| compare(arms, tally, alpha)).collect();
        let active: Vec<&Arm> = experiment.arms.iter().filter(|arm| arm.is_active()).collect();
        let none = Figures::default();
        let figures = |arm: &Arm| known.arms.get(arm.name.as_str()).unwrap_or(&none);
        let counts: Vec<_> = active.iter().map(|arm| figures(arm).trees).collect();
        let weights: Vec<_> = active.iter().map(|arm| arm.weight).collect();
        let mismatch_p = if active.is_empty() { 1.0 } else { statistics::mismatch(&counts, &weights) };
        let mismatch = mismatch_p < MISMATCH_ALPHA;
        let beats = |arm: &Arm, other: &Arm| {
            let of_both = |one: &&Comparison| {
                let names = [one.a.as_str(), one.b.as_str()];
                names.contains(&arm.name.as_str()) && names.contains(&other.name.as_str())
            };
            comparisons.iter().find(of_both).is_some_and(|one| one.better.as_deref() == Some(arm.name.as_str()))
        };
        let wins = |arm: &&&Arm| active.iter().filter(|other| other.name != arm.name).all(|other| beats(arm, other));
        let alone = active.len() < 2;
        let winner = active.iter().find(wins).filter(|_| !mismatch && !alone).map(|arm| arm.name.to_string());
        let broken = active.iter().filter_map(|arm| {
            let why = experiment.guardrails.iter().find_map(|guardrail| figures(arm).breaks(guardrail))?;
            Some((arm.name.to_string(), why))
        });
        let broken = broken.collect();
        Self { comparisons, mismatch_p, mismatch, winner, broken }
    }
}

fn compare((a, b): &(String, String), tally: &Tally, alpha: f64) -> Comparison {
    let better = tally.sign(alpha).map(|sign| if sign == Sign::Above { b } else { a }).cloned();
    let (a, b) = (a.clone(), b.clone());
    Comparison { a, b, pairs: tally.count(), difference: tally.mean(), interval: tally.interval(alpha), better }
}

#[expect(clippy::cast_precision_loss, reason = "counts and sums of sessions, far below 2^52")]
fn real(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
