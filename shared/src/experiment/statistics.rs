//! What may be concluded from an experiment, whenever anybody looks. Pure.
//!
//! Everything here holds at all times at once, so that looking after every session and stopping as soon as something shows
//! is no mistake. Means of bounded values are held by betting against them: if the mean is `m`, nobody who bets on the next
//! value at fair odds grows rich, and the chance that their capital ever reaches `1 / a` is at most `a` (Ville). The
//! interval holds every `m` that has not been bet away. The bets are a fixed mixture, whose capital depends on the values
//! alone and not on their order. See Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting",
//! JRSS B 86(1), 2024 (section 4.4: the hedged capital process); Orabona and Jun, "Tight Concentrations and Confidence
//! Sequences from the Regret of Universal Portfolio", IEEE Trans. Inf. Theory 70(1), 2024 (mixtures of bets).
//!
//! Whether the arms got the sessions that their weights say is asked with the sequential multinomial test of Lindon and
//! Malek, "Anytime-Valid Inference for Multinomial Count Data", Advances in Neural Information Processing
//! Systems 35, 2022.

use std::collections::BTreeMap;

/// How large each bet is, as a share of the largest that cannot ruin. Small ones find small differences after long, large
/// ones large differences soon.
const BETS: [f64; 12] = [0.01, 0.02, 0.035, 0.05, 0.075, 0.11, 0.16, 0.23, 0.32, 0.45, 0.6, 0.8];

/// How often, at most, a winner may be called among arms that do not differ.
pub const ALPHA: f64 = 0.05;

/// How often, at most, arms that got what their weights say may be called mismatched.
pub const MISMATCH_ALPHA: f64 = 0.001;

/// What is kept of a success: in halves, because part of the work counts half.
pub const WHOLE: i32 = 2;

/// Values in [-1, 1], as how often each was seen. They come in halves, so there are five.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally([i64; VALUES.len()]);

/// The values that are tallied, in their order.
const VALUES: [f64; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];

impl Tally {
    /// Adds a value, given in halves, that was seen so often.
    pub fn add(&mut self, halves: i32, times: i64) {
        let at = usize::try_from(halves.clamp(-WHOLE, WHOLE) + WHOLE).unwrap_or_default();
        self.0[at] += times;
    }

    pub fn count(&self) -> i64 {
        self.0.iter().sum()
    }

    /// The mean of what was seen, if anything was.
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = VALUES.iter().zip(self.0).map(|(value, times)| value * real(times)).sum();
        (self.count() > 0).then(|| sum / real(self.count()))
    }

    /// The logarithms of what those who bet that the mean is above `m`, one with each bet, have made of a capital of 1.
    fn capital_above(&self, m: f64) -> [f64; BETS.len()] {
        BETS.map(|bet| {
            let stake = bet / (1.0 + m);
            let mut capital = 0.0;
            for (value, times) in VALUES.iter().zip(self.0) {
                if times > 0 {
                    capital += real(times) * (stake * (value - m)).ln_1p();
                }
            }
            capital
        })
    }

    /// Whether a mean of `m` is ruled out because the true one is above it.
    fn is_above(&self, m: f64, alpha: f64) -> bool {
        reached(&self.capital_above(m), (2.0 / alpha).ln())
    }

    /// The same values with the other sign.
    fn mirrored(&self) -> Self {
        let mut mirrored = *self;
        mirrored.0.reverse();
        mirrored
    }

    /// The means that cannot be ruled out with an error of `alpha` over all times. Each end is bet on with half of the
    /// capital, and the capital falls steadily with the mean that is bet against, so that both ends are found by halving.
    pub fn interval(&self, alpha: f64) -> Interval {
        let Some(mean) = self.mean() else { return Interval::ALL };
        Interval { low: self.lowest(mean, alpha), high: -self.mirrored().lowest(-mean, alpha) }
    }

    fn lowest(&self, mean: f64, alpha: f64) -> f64 {
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

    /// Whether a mean of zero is ruled out, and on which side of it the mean lies.
    pub fn sign(&self, alpha: f64) -> Option<Sign> {
        if self.is_above(0.0, alpha) {
            return Some(Sign::Above);
        }
        self.mirrored().is_above(0.0, alpha).then_some(Sign::Below)
    }
}

/// On which side of zero a mean lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sign {
    Above,
    Below,
}

/// The means that are not ruled out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    /// Nothing is known.
    const ALL: Self = Self { low: -1.0, high: 1.0 };
}

/// The share of an arm's successes that is not ruled out: values from 0 to 1, stretched to -1 to 1.
pub fn share(halves: &BTreeMap<i32, i64>, alpha: f64) -> Interval {
    let mut tally = Tally::default();
    for (success, times) in halves {
        tally.add(2 * success - WHOLE, *times);
    }
    let Interval { low, high } = tally.interval(alpha);
    Interval { low: f64::midpoint(low, 1.0), high: f64::midpoint(high, 1.0) }
}

/// Each of several comparisons may err so often that all together err at most `alpha`: the union bound.
pub fn per_pair(alpha: f64, arms: usize) -> f64 {
    let pairs = arms.saturating_mul(arms.saturating_sub(1)) / 2;
    alpha / f64::from(u32::try_from(pairs.max(1)).unwrap_or(u32::MAX))
}

/// How unlikely the counts are by the shares that the weights say, at any time: below [`MISMATCH_ALPHA`] something is wrong
/// with the assignment, and no conclusion holds.
pub fn mismatch(counts: &[i64], weights: &[i32]) -> f64 {
    let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let sum = real(counts.iter().sum());
    // What a prior as strong as so many sessions expects; it is centred on the weights.
    let strength = 100.0_f64;
    let mut evidence = ln_gamma(strength) - ln_gamma(strength + sum);
    for (count, weight) in counts.iter().zip(weights) {
        let expected = f64::from(*weight) / total;
        let prior = strength * expected;
        evidence += ln_gamma(prior + real(*count)) - ln_gamma(prior) - real(*count) * expected.ln();
    }
    (-evidence).exp().min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of sessions, far below 2^52")]
fn real(count: i64) -> f64 {
    count as f64
}

/// Whether the mean of the capitals, given by their logarithms, is at least `enough`, given by its logarithm.
fn reached(capitals: &[f64; BETS.len()], enough: f64) -> bool {
    let largest = capitals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // The mean is never above the largest: most looks end here.
    largest >= enough && {
        let sum: f64 = capitals.iter().map(|one| (one - largest).exp()).sum();
        largest + sum.ln() - f64::from(u32::try_from(BETS.len()).unwrap_or(1)).ln() >= enough
    }
}

/// The logarithm of the gamma function for positive numbers, by Stirling's series after moving up to where it holds to
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
