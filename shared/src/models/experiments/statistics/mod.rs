//! Anytime-valid statistics for experiments. Pure.
//!
//! All intervals and tests are valid at all times at once, so it is correct to evaluate after every session and to stop
//! at the first significant result. Means of bounded values are estimated by betting: if the mean is `m`, a bettor
//! against `m` at fair odds cannot get rich, and the probability that the capital ever reaches `1 / a` is at most `a`
//! (Ville's inequality). The interval contains every `m` whose bettor has not reached that capital. The bets are a
//! fixed mixture, whose capital depends on the values alone and not on their order. See Waudby-Smith and Ramdas,
//! "Estimating means of bounded random variables by betting", JRSS B 86(1), 2024 (section 4.4: the hedged capital
//! process); Orabona and Jun, "Tight Concentrations and Confidence Sequences from the Regret of Universal Portfolio",
//! IEEE Trans. Inf. Theory 70(1), 2024 (mixtures of bets).
//!
//! The sequential multinomial test of Lindon and Malek checks whether sessions are distributed by the weights of the
//! arms: "Anytime-Valid Inference for Multinomial Count Data", Advances in Neural Information Processing Systems 35,
//! 2022.

use std::collections::BTreeMap;

/// The bet sizes, as shares of the largest bet that cannot ruin. Small bets find small differences late, large bets
/// find large differences early.
const BETS: [f64; 12] = [0.01, 0.02, 0.035, 0.05, 0.075, 0.11, 0.16, 0.23, 0.32, 0.45, 0.6, 0.8];

/// The largest probability that a winner is found among equal arms.
pub const ALPHA: f64 = 0.05;

/// The largest probability that a correct distribution is reported as a mismatch.
pub const MISMATCH_ALPHA: f64 = 0.001;

/// The unit of success: one half, because partial success counts half.
pub const WHOLE: i32 = 2;

/// A histogram of values in [-1, 1], which come in halves, so there are five.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally([i64; VALUES.len()]);

/// The possible values, in order.
const VALUES: [f64; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];

impl Tally {
    /// Adds a value, in halves, `count` times.
    pub fn add(&mut self, halves: i32, times: i64) {
        let at = usize::try_from(halves.clamp(-WHOLE, WHOLE) + WHOLE).unwrap_or_default();
        self.0[at] += times;
    }

    pub fn count(&self) -> i64 {
        self.0.iter().sum()
    }

    /// The mean of the values; `None` without any.
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = VALUES.iter().zip(self.0).map(|(value, times)| value * to_real(times)).sum();
        (self.count() > 0).then(|| sum / to_real(self.count()))
    }

    /// The log capitals of bettors that the mean is above `m`, one per bet size, starting with a capital of 1.
    fn capital_above(&self, m: f64) -> [f64; BETS.len()] {
        BETS.map(|bet| {
            let stake = bet / (1.0 + m);
            let mut capital = 0.0;
            for (value, times) in VALUES.iter().zip(self.0) {
                if times > 0 {
                    capital += to_real(times) * (stake * (value - m)).ln_1p();
                }
            }
            capital
        })
    }

    /// Whether the true mean is significantly above `m`.
    fn is_above(&self, m: f64, alpha: f64) -> bool {
        has_reached(&self.capital_above(m), (2.0 / alpha).ln())
    }

    /// The negated values.
    fn mirror_tally(&self) -> Self {
        let mut mirrored = *self;
        mirrored.0.reverse();
        mirrored
    }

    /// The confidence interval of the mean with error `alpha` over all times. Each end uses half of the capital. The
    /// capital decreases monotonically in `m`, so both ends are found by bisection.
    pub fn interval(&self, alpha: f64) -> Interval {
        let Some(mean) = self.mean() else { return Interval::ALL };
        Interval { low: self.lowest_mean(mean, alpha), high: -self.mirror_tally().lowest_mean(-mean, alpha) }
    }

    fn lowest_mean(&self, mean: f64, alpha: f64) -> f64 {
        let (mut out, mut within) = (-1.0, mean);
        // 2^-30 is far below anything that matters.
        for _ in 0..31 {
            let middle = f64::midpoint(out, within);
            if self.is_above(middle, alpha) {
                out = middle;
            } else {
                within = middle;
            }
        }
        out
    }

    /// Whether the mean is significantly different from zero, and its sign.
    pub fn sign(&self, alpha: f64) -> Option<Sign> {
        if self.is_above(0.0, alpha) {
            return Some(Sign::Above);
        }
        self.mirror_tally().is_above(0.0, alpha).then_some(Sign::Below)
    }
}

/// The sign of a mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sign {
    Above,
    Below,
}

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    /// The interval without any data.
    const ALL: Self = Self { low: -1.0, high: 1.0 };
}

/// The confidence interval of the success rate of an arm: values from 0 to 1, mapped to -1 to 1.
pub fn share_interval(halves: &BTreeMap<i32, i64>, alpha: f64) -> Interval {
    let mut tally = Tally::default();
    for (success, times) in halves {
        tally.add(2 * success - WHOLE, *times);
    }
    let Interval { low, high } = tally.interval(alpha);
    Interval { low: f64::midpoint(low, 1.0), high: f64::midpoint(high, 1.0) }
}

/// The error of each of several comparisons, so that all together have at most `alpha`: the union bound.
pub fn per_pair(alpha: f64, arms: usize) -> f64 {
    let pairs = arms.saturating_mul(arms.saturating_sub(1)) / 2;
    alpha / f64::from(u32::try_from(pairs.max(1)).unwrap_or(u32::MAX))
}

/// The anytime-valid p-value of the counts under the weights. Below [`MISMATCH_ALPHA`] the assignment is faulty, and no
/// conclusion is valid.
pub fn ratio_mismatch(counts: &[i64], weights: &[i32]) -> f64 {
    let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let sum = to_real(counts.iter().sum());
    // What a prior as strong as so many sessions expects; it is centred on the weights.
    let strength = 100.0_f64;
    let mut evidence = ln_gamma(strength) - ln_gamma(strength + sum);
    for (count, weight) in counts.iter().zip(weights) {
        let expected = f64::from(*weight) / total;
        let prior = strength * expected;
        evidence += ln_gamma(prior + to_real(*count)) - ln_gamma(prior) - to_real(*count) * expected.ln();
    }
    (-evidence).exp().min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of sessions, far below 2^52")]
fn to_real(count: i64) -> f64 {
    count as f64
}

/// Whether the mean of capitals, given as logarithms, is at least `enough`, also a logarithm.
fn has_reached(capitals: &[f64; BETS.len()], enough: f64) -> bool {
    let largest = capitals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // The mean is never above the largest, so most calls end here.
    largest >= enough && {
        let sum: f64 = capitals.iter().map(|one| (one - largest).exp()).sum();
        largest + sum.ln() - f64::from(u32::try_from(BETS.len()).unwrap_or(1)).ln() >= enough
    }
}

/// The logarithm of the gamma function for positive numbers, by Stirling's series, shifted to where it is exact to
/// twelve digits.
fn ln_gamma(number: f64) -> f64 {
    let (mut x, mut shift) = (number, 0.0);
    while x < 10.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse / 1680.0))) / x;
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests;
