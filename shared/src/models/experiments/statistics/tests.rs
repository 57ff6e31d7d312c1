//! The promises of the statistics, kept in simulated experiments with fixed seeds.

use std::collections::VecDeque;

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use super::*;

/// How many sessions an experiment has.
const SESSIONS: u32 = 4000;

/// An experiment in which a look follows every session: the k-th of one arm stands against the k-th of the other.
struct Simulated {
    waiting: [VecDeque<i32>; 2],
    pairs: Tally,
}

impl Simulated {
    fn new() -> Self {
        Self { waiting: [VecDeque::new(), VecDeque::new()], pairs: Tally::default() }
    }

    /// Takes a session in; what it shows, where it completes a pair.
    fn end(&mut self, arm: usize, success: i32) -> Option<Sign> {
        self.waiting[arm].push_back(success);
        let [a, b] = &mut self.waiting;
        if a.is_empty() || b.is_empty() {
            return None;
        }
        let (a, b) = (a.pop_front().unwrap(), b.pop_front().unwrap());
        self.pairs.add(b - a, 1);
        self.pairs.sign(ALPHA)
    }

    /// Runs until a winner is called or all sessions are over; after how many it was.
    fn run(random: &mut SmallRng, successes: [f64; 2], share_of_first: f64) -> Option<(u32, Sign)> {
        let mut simulated = Self::new();
        (1..=SESSIONS).find_map(|session| {
            let arm = usize::from(!random.random_bool(share_of_first));
            let success = WHOLE * i32::from(random.random_bool(successes[arm]));
            simulated.end(arm, success).map(|sign| (session, sign))
        })
    }
}

fn called(seed: u64, runs: usize, successes: [f64; 2], share_of_first: f64) -> Vec<(u32, Sign)> {
    let mut random = SmallRng::seed_from_u64(seed);
    (0..runs).filter_map(|_| Simulated::run(&mut random, successes, share_of_first)).collect()
}

#[test]
fn at_most_fifty_of_a_thousand_experiments_with_equal_arms_ever_call_a_winner() {
    let winners = called(1, 1000, [0.5, 0.5], 0.5).len();
    assert!(winners <= 50, "{winners}");
    assert!(winners > 0, "a test that can never err is a test that never looks");
}

#[test]
fn equal_arms_are_rarely_called_different_at_extreme_rates_and_uneven_weights() {
    for (seed, success, share) in [(2, 0.95, 0.5), (3, 0.5, 0.9), (4, 0.05, 0.2)] {
        let winners = called(seed, 300, [success, success], share).len();
        assert!(winners <= 15, "{success} {share}: {winners}");
    }
}

#[test]
fn a_ten_point_difference_is_found_in_nine_of_ten_large_experiments() {
    let found = called(5, 500, [0.5, 0.6], 0.5);
    let right = found.iter().filter(|(_, sign)| *sign == Sign::Above).count();
    assert!(right >= 450, "{right} of 500");
    let wrong = found.len() - right;
    assert!(wrong <= 12, "{wrong} call the worse one");
    let sessions: u64 = found.iter().map(|(session, _)| u64::from(*session)).sum();
    let mean = sessions / u64::try_from(found.len()).unwrap();
    assert!(mean < 2500, "found after {mean} sessions in the mean: earlier than a fixed look at the end");
}

#[test]
fn the_interval_holds_the_true_difference_at_every_look_at_once() {
    let mut random = SmallRng::seed_from_u64(6);
    let runs = 200;
    let missed = (0..runs).filter(|_| {
        let mut simulated = Simulated::new();
        (1..=1000).any(|session: u32| {
            let arm = usize::from(random.random_bool(0.5));
            simulated.end(arm, WHOLE * i32::from(random.random_bool([0.7, 0.8][arm])));
            // An interval costs more than a sign: every tenth is looked at.
            let interval = if session.is_multiple_of(10) { simulated.pairs.interval(ALPHA) } else { Interval::ALL };
            !(interval.low..=interval.high).contains(&0.1)
        })
    });
    let missed = missed.count();
    assert!(missed <= runs / 20, "{missed} of {runs}");
}

#[test]
fn a_difference_has_a_sign_exactly_when_its_interval_excludes_zero() {
    for (up, down) in [(0, 0), (3, 0), (10, 0), (30, 5), (20, 20), (0, 12), (5, 4)] {
        let mut tally = Tally::default();
        tally.add(WHOLE, up);
        tally.add(-WHOLE, down);
        tally.add(1, 7);
        tally.add(-1, 7);
        let Interval { low, high } = tally.interval(ALPHA);
        let expected = if low > 0.0 { Some(Sign::Above) } else { (high < 0.0).then_some(Sign::Below) };
        assert_eq!(tally.sign(ALPHA), expected, "{up} {down}: {low} {high}");
        let mean = tally.mean().unwrap();
        assert!(low <= mean && mean <= high);
    }
}

#[test]
fn the_interval_is_unbounded_without_data_and_narrow_with_much_data() {
    assert_eq!(Tally::default().interval(ALPHA), Interval::ALL);
    assert_eq!(Tally::default().sign(ALPHA), None);
    let of = |success: i64, failure: i64| share_interval(&BTreeMap::from([(WHOLE, success), (0, failure)]), ALPHA);
    let much = of(9_000, 1_000);
    assert!(much.low > 0.88 && much.high < 0.92, "{much:?}");
    let all = of(1_000, 0);
    assert!(all.low > 0.98 && all.high > 0.999_999, "{all:?}");
    let none = of(0, 1_000);
    assert!(none.low < 0.000_001 && none.high < 0.02, "{none:?}");
    assert!(of(1, 0).low < 0.2);
}

#[test]
fn shares_that_the_weights_say_are_rarely_called_a_mismatch_and_others_are() {
    let mut random = SmallRng::seed_from_u64(7);
    let mut ends = |share: f64| {
        let mut counts = [0, 0];
        (0..SESSIONS).any(|_| {
            counts[usize::from(!random.random_bool(share))] += 1;
            ratio_mismatch(&counts, &[1, 1]) < MISMATCH_ALPHA
        })
    };
    let wrongly = (0..300).filter(|_| ends(0.5)).count();
    assert!(wrongly <= 2, "{wrongly}");
    let rightly = (0..50).filter(|_| ends(0.45)).count();
    assert!(rightly >= 45, "{rightly}");
    assert!((ratio_mismatch(&[0, 0, 0], &[1, 2, 3]) - 1.0).abs() < f64::EPSILON);
    assert!(ratio_mismatch(&[100, 200, 300], &[1, 2, 3]) > 0.5);
    assert!(ratio_mismatch(&[300, 200, 100], &[1, 2, 3]) < 1e-9);
}

#[test]
fn the_gamma_function_is_the_known_one() {
    for (number, known) in
        [(1.0, 0.0), (5.0, 24.0_f64.ln()), (0.5, std::f64::consts::PI.sqrt().ln()), (100.0, 359.134_205_369_575_4)]
    {
        assert!((ln_gamma(number) - known).abs() < 1e-10, "{number}");
    }
}

#[test]
fn more_than_two_arms_share_the_error_among_their_pairs() {
    assert!((per_pair(0.05, 2) - 0.05).abs() < 1e-15);
    assert!((per_pair(0.05, 4) - 0.05 / 6.0).abs() < 1e-15);
}
