//! What an agent of a tenant reports about its own usage: a claim, of which a run books no more than a bound that grows
//! with the minutes it runs. What is above is kept as claimed. Pure.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::kernel::usage::Usage;

/// The most that one run books of what its agent reports; 0 = unlimited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UsageBounds {
    pub tokens_per_run: i64,
    pub tokens_per_minute: i64,
    pub cost_micros_per_run: i64,
    pub cost_micros_per_minute: i64,
}

impl Default for UsageBounds {
    fn default() -> Self {
        Self {
            tokens_per_run: 100_000_000,
            tokens_per_minute: 2_000_000,
            cost_micros_per_run: 500_000_000,
            cost_micros_per_minute: 25_000_000,
        }
    }
}

impl UsageBounds {
    /// The most that a run may have booked after this time. A minute that has begun counts in full, so the bound of a
    /// run changes once a minute.
    pub fn most_after(&self, running: TimeDelta) -> UsageAmount {
        let minutes = running.num_minutes().max(0).saturating_add(1);
        let most = |per_run, per_minute| unless_zero(per_run).min(unless_zero(per_minute).saturating_mul(minutes));
        UsageAmount {
            tokens: most(self.tokens_per_run, self.tokens_per_minute),
            cost_micros: most(self.cost_micros_per_run, self.cost_micros_per_minute),
        }
    }
}

const fn unless_zero(bound: i64) -> i64 {
    if bound == 0 { i64::MAX } else { bound }
}

/// Tokens of all kinds, and their cost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct UsageAmount {
    pub tokens: i64,
    pub cost_micros: i64,
}

impl From<Usage> for UsageAmount {
    fn from(usage: Usage) -> Self {
        Self { tokens: usage.tokens(), cost_micros: usage.cost_micros }
    }
}

impl UsageAmount {
    /// What is left after `other`, at least nothing.
    #[must_use]
    fn without(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(other.tokens).max(0),
            cost_micros: self.cost_micros.saturating_sub(other.cost_micros).max(0),
        }
    }
}

/// What is booked once more is reported: as much more as there is room for, and never less than before.
fn raise_within(booked: Usage, reported: Usage, room: UsageAmount) -> Usage {
    let mut left = room.tokens.max(0);
    let mut raise = |known: i64, reported: i64| {
        let more = reported.saturating_sub(known).clamp(0, left);
        left -= more;
        known.saturating_add(more)
    };
    Usage {
        tokens_input: raise(booked.tokens_input, reported.tokens_input),
        tokens_output: raise(booked.tokens_output, reported.tokens_output),
        tokens_reasoning: raise(booked.tokens_reasoning, reported.tokens_reasoning),
        tokens_cached: raise(booked.tokens_cached, reported.tokens_cached),
        cost_micros: booked
            .cost_micros
            .saturating_add(reported.cost_micros.saturating_sub(booked.cost_micros).clamp(0, room.cost_micros.max(0))),
    }
}

/// Tokens and cost of a session, as cumulative figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionUsage {
    /// What is booked.
    pub total: Usage,
    /// The booked figures of each scope that the agent reports, which `total` sums up.
    pub by_scope: BTreeMap<String, Usage>,
    pub claims: UsageClaims,
}

/// What agents reported beyond what is booked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageClaims {
    /// The run to which a bound was last applied.
    run: i32,
    /// What the session had booked before that run.
    before: UsageAmount,
    /// The session's log says that something of that run was withheld.
    warned: bool,
    /// The reported figures of the scopes of which not everything is booked.
    by_scope: BTreeMap<String, Usage>,
}

impl SessionUsage {
    /// Books what an agent of the platform reports. The highest figures count.
    pub fn book(&mut self, scope: String, reported: Usage) {
        let booked = self.by_scope.entry(scope).or_default();
        *booked = booked.highest(reported);
        self.sum_up();
    }

    /// Books what an agent of a tenant reports in a run, as far as the run has `most` booked by now, and keeps the rest
    /// as claimed. Returns whether this is the first time in the run that anything is withheld.
    pub fn book_claim(&mut self, scope: String, reported: Usage, run: i32, most: UsageAmount) -> bool {
        let total = UsageAmount::from(self.total);
        if self.claims.run != run {
            (self.claims.run, self.claims.before, self.claims.warned) = (run, total, false);
        }
        let room = most.without(total.without(self.claims.before));
        let claimed = self.claims.by_scope.remove(&scope).unwrap_or_default().highest(reported);
        let booked = self.by_scope.entry(scope.clone()).or_default();
        *booked = raise_within(*booked, claimed, room);
        let is_withheld = booked.highest(claimed) != *booked;
        if is_withheld {
            self.claims.by_scope.insert(scope, claimed);
        }
        self.sum_up();
        is_withheld && !std::mem::replace(&mut self.claims.warned, true)
    }

    fn sum_up(&mut self) {
        self.total = self.by_scope.values().fold(Usage::default(), |sum, one| sum.plus(*one));
    }

    /// What agents reported beyond what is booked; `None` if everything is.
    pub fn claimed(&self) -> Option<UsageAmount> {
        let withheld = self.claims.by_scope.iter().map(|(scope, claimed)| {
            let booked = self.by_scope.get(scope).copied().unwrap_or_default();
            UsageAmount::from(booked.highest(*claimed)).without(booked.into())
        });
        withheld.reduce(|sum, one| UsageAmount {
            tokens: sum.tokens.saturating_add(one.tokens),
            cost_micros: sum.cost_micros.saturating_add(one.cost_micros),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds() -> UsageBounds {
        UsageBounds {
            tokens_per_run: 1000,
            tokens_per_minute: 300,
            cost_micros_per_run: 50,
            cost_micros_per_minute: 20,
        }
    }

    fn tokens(tokens_output: i64) -> Usage {
        Usage { tokens_output, ..Usage::default() }
    }

    fn most(minutes: i64) -> UsageAmount {
        bounds().most_after(TimeDelta::minutes(minutes))
    }

    #[test]
    fn a_bound_grows_with_each_minute_that_begins_up_to_that_of_the_run() {
        let grown: Vec<_> = [-5, 0, 59, 60, 119, 180, 100_000]
            .map(|seconds| bounds().most_after(TimeDelta::seconds(seconds)))
            .map(|most| (most.tokens, most.cost_micros))
            .into();
        assert_eq!(grown, [(300, 20), (300, 20), (300, 20), (600, 40), (600, 40), (1000, 50), (1000, 50)]);
        let unlimited = UsageBounds { tokens_per_run: 0, tokens_per_minute: 0, ..bounds() };
        assert_eq!(unlimited.most_after(TimeDelta::MAX).tokens, i64::MAX);
    }

    #[test]
    fn a_bound_that_grows_books_more_and_each_run_is_warned_of_once() {
        let mut usage = SessionUsage::default();
        assert!(!usage.book_claim("a".into(), tokens(300), 1, most(0)));
        assert_eq!((usage.total.tokens(), usage.claimed()), (300, None));
        assert!(usage.book_claim("a".into(), tokens(700), 1, most(0)));
        assert_eq!(usage.claimed(), Some(UsageAmount { tokens: 400, cost_micros: 0 }));
        assert!(!usage.book_claim("a".into(), tokens(650), 1, most(1)), "it is known, and the highest report counts");
        assert_eq!((usage.total.tokens(), usage.claimed().unwrap().tokens), (600, 100));
        assert!(!usage.book_claim("a".into(), tokens(0), 1, most(2)));
        assert_eq!((usage.total.tokens(), usage.claimed()), (700, None));
        assert!(!usage.book_claim("a".into(), tokens(5000), 1, most(2)), "the run has its warning");
        assert!(usage.book_claim("b".into(), tokens(5000), 2, most(0)), "a new run has a bound of its own");
        assert_eq!(usage.total.tokens(), 900 + 300);
        assert_eq!(usage.claimed().unwrap().tokens, 4100 + 4700);
    }

    #[test]
    fn scopes_of_one_run_share_its_bound() {
        let mut usage = SessionUsage::default();
        for scope in ["a", "b", "c"] {
            usage.book_claim(scope.into(), tokens(200), 1, most(0));
        }
        assert_eq!((usage.total.tokens(), usage.claimed().unwrap().tokens), (300, 300));
    }

    fn any_usage() -> impl Strategy<Value = Usage> {
        let figure = || prop_oneof![0..2000_i64, Just(0), Just(1_000_000_000_000), Just(i64::MAX)];
        (figure(), figure(), figure(), figure(), figure()).prop_map(|(a, b, c, d, e)| Usage {
            tokens_input: a,
            tokens_output: b,
            tokens_reasoning: c,
            tokens_cached: d,
            cost_micros: e,
        })
    }

    proptest! {
        #[test]
        fn no_run_books_more_than_its_bound_and_nothing_reported_is_lost(
            reports in proptest::collection::vec((0..2_usize, any_usage(), 0..3_i64, any::<bool>()), 1..20)
        ) {
            let (mut usage, mut run, mut minute, mut before) = (SessionUsage::default(), 1, 0, 0);
            let mut reported: BTreeMap<String, Usage> = BTreeMap::new();
            for (scope, report, passed, begins_run) in reports {
                minute += passed;
                if begins_run {
                    (run, minute, before) = (run + 1, 0, usage.total.tokens());
                }
                let (scope, last) = (["a", "b"][scope].to_owned(), usage.total);
                let known = reported.entry(scope.clone()).or_default();
                *known = known.highest(report);
                usage.book_claim(scope.clone(), report, run, most(minute));
                prop_assert!(usage.total.tokens() - before <= most(minute).tokens);
                prop_assert_eq!(usage.total.highest(last), usage.total, "what is booked never shrinks");
                let kept = usage.claims.by_scope.get(&scope).copied().unwrap_or_default();
                prop_assert_eq!(kept.highest(usage.by_scope[&scope]), reported[&scope], "booked or kept as claimed");
                let once = usage.clone();
                usage.book_claim(scope, report, run, most(minute));
                prop_assert_eq!(&usage, &once, "a repeat adds nothing");
            }
        }
    }
}
