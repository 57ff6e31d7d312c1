//! The performance of an agent: its tier, computed from its results, and its load level. Pure.
//!
//! docs/agents.md specifies the rules and their numbers.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::string_enum::string_enum;

/// With fewer results, the tier is standard and the breaker stays closed.
pub const ENOUGH_RESULTS: i64 = 5;

/// The breaker opens below this success rate.
pub const BREAKER_SUCCESS: f64 = 0.3;

/// How long the breaker stays open before one session may try.
pub const BREAKER_PAUSE: TimeDelta = TimeDelta::minutes(10);

string_enum! {
    /// How well an agent performs, the best tier last.
    Tier {
        Degraded "degraded"
        Trainee "trainee"
        Competent "competent"
        /// Too few results.
        Standard "standard"
        Advanced "advanced"
        /// Never computed from results. Requirements may name it, and elite agents meet it.
        Premium "premium"
        Elite "elite"
    }
}

string_enum! {
    /// How busy an agent is.
    LoadLevel {
        Idle "idle"
        Optimal "optimal"
        High "high"
        Critical "critical"
        Overloaded "overloaded"
    }
}

impl LoadLevel {
    /// From a load, where 1 is the full capacity.
    pub fn of(load: f64) -> Self {
        match load {
            load if load <= 0.2 => Self::Idle,
            load if load <= 0.7 => Self::Optimal,
            load if load <= 0.9 => Self::High,
            load if load <= 1.0 => Self::Critical,
            _ => Self::Overloaded,
        }
    }

    /// What it is worth in routing, 0..1.
    pub const fn score_share(self) -> f64 {
        match self {
            Self::Idle => 1.0,
            Self::Optimal => 0.8,
            Self::High => 0.5,
            Self::Critical => 0.2,
            Self::Overloaded => 0.0,
        }
    }
}

/// The results of an agent. Each mean covers only the results that have the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct PerformanceStats {
    /// How many runs ended by an action of the agent.
    pub finished: i64,
    /// The sum of successes: 1 each, 0.5 for partial success.
    pub succeeded: f64,
    /// The quality ratings of the results that have one.
    pub quality_sum: f64,
    pub quality_count: i64,
    pub duration_ms_sum: f64,
    pub cost_micros_sum: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of sessions")]
fn mean_of(sum: f64, count: i64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

impl PerformanceStats {
    /// 0..1; `None` before the first result.
    pub fn success_rate(&self) -> Option<f64> {
        mean_of(self.succeeded, self.finished)
    }

    /// 0..1; `None` when no result has a rating.
    pub fn quality(&self) -> Option<f64> {
        mean_of(self.quality_sum, self.quality_count)
    }

    /// In milliseconds.
    pub fn mean_duration_ms(&self) -> Option<f64> {
        mean_of(self.duration_ms_sum, self.finished)
    }

    /// In micro-dollars: the cost of all results per success.
    pub fn cost_per_success(&self) -> Option<f64> {
        (self.succeeded > 0.0).then(|| self.cost_micros_sum / self.succeeded)
    }

    pub fn tier(&self) -> Tier {
        let Some(rate) = self.success_rate().filter(|_| self.finished >= ENOUGH_RESULTS) else { return Tier::Standard };
        match rate {
            rate if rate >= 0.95 && self.quality().is_some_and(|quality| quality >= 0.9) => Tier::Elite,
            rate if rate >= 0.85 => Tier::Advanced,
            rate if rate >= 0.70 => Tier::Competent,
            rate if rate >= 0.50 => Tier::Trainee,
            _ => Tier::Degraded,
        }
    }
}

/// The 95 % confidence interval of the success rate (Wilson score interval); `None` before the first result.
#[expect(clippy::cast_precision_loss, reason = "counts of sessions")]
pub fn confidence_interval(succeeded: f64, finished: i64) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_964;
    if finished <= 0 {
        return None;
    }
    let n = finished as f64;
    let rate = (succeeded / n).clamp(0.0, 1.0);
    let middle = rate + Z * Z / (2.0 * n);
    let half = Z * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    let all = 1.0 + Z * Z / n;
    Some((((middle - half) / all).max(0.0), ((middle + half) / all).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(finished: i64, succeeded: f64, quality: Option<f64>) -> PerformanceStats {
        let (quality_sum, quality_count) = quality.map_or((0.0, 0), |quality| (quality * 4.0, 4));
        PerformanceStats { finished, succeeded, quality_sum, quality_count, ..PerformanceStats::default() }
    }

    #[test]
    fn a_tier_follows_from_success_and_quality_once_there_are_five_results() {
        assert_eq!(figures(4, 4.0, Some(1.0)).tier(), Tier::Standard);
        assert_eq!(figures(20, 19.0, Some(0.9)).tier(), Tier::Elite);
        assert_eq!(figures(20, 19.0, Some(0.89)).tier(), Tier::Advanced);
        assert_eq!(figures(20, 20.0, None).tier(), Tier::Advanced);
        assert_eq!(figures(20, 17.0, None).tier(), Tier::Advanced);
        assert_eq!(figures(20, 14.0, None).tier(), Tier::Competent);
        assert_eq!(figures(20, 10.0, None).tier(), Tier::Trainee);
        assert_eq!(figures(20, 9.5, None).tier(), Tier::Degraded);
    }

    #[test]
    fn a_lower_load_is_worth_more() {
        assert!(Tier::ALL.windows(2).all(|two| two[0] < two[1]));
        assert!(LoadLevel::ALL.windows(2).all(|two| two[0].score_share() > two[1].score_share()));
    }

    #[test]
    fn the_levels_of_load_end_where_the_rules_say() {
        let levels = [0.2, 0.7, 0.9, 1.0, 1.01].map(LoadLevel::of);
        assert_eq!(levels, LoadLevel::ALL);
    }

    #[test]
    fn the_confidence_interval_holds_the_rate_and_narrows_with_more_results() {
        let (low, high) = confidence_interval(8.0, 10).unwrap();
        assert!((low - 0.490).abs() < 0.001 && (high - 0.943).abs() < 0.001, "{low} {high}");
        let (low, high) = confidence_interval(800.0, 1000).unwrap();
        assert!(low > 0.77 && high < 0.83);
        assert_eq!(confidence_interval(0.0, 0), None);
        assert!(confidence_interval(0.0, 3).unwrap().0.abs() < 1e-9);
    }
}
