//! The circuit breakers of an agent: of its server, of its work for one tenant, and of its work for all tenants. Pure;
//! docs/agents.md specifies the rules.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::clock::Time;

use super::{performance::BREAKER_PAUSE, string_enum::string_enum};

/// The state of a circuit breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// It gets work.
    Closed,
    /// It failed too often, or its server does not answer, and it gets no sessions for a while.
    Open,
    /// It gets one session at a time, until one succeeds.
    HalfOpen,
}

string_enum! {
    /// Why a circuit breaker opened.
    BreakerCause {
        /// The agent's server does not answer. It is probed every few seconds.
        Server "server"
        /// Too many of the agent's latest runs failed.
        Work "work"
    }
}

/// The circuit breakers of an agent, as stored, for the tenant that sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BreakerRecord {
    pub server_down_since: Option<Time>,
    /// Failed probes of the server since then.
    pub server_failures: i32,
    /// When the server is probed next.
    pub server_probe_at: Option<Time>,
    /// The breaker for all tenants.
    pub common_opened_at: Option<Time>,
    pub common_failures: i64,
    /// The breaker for this tenant.
    pub tenant_opened_at: Option<Time>,
    pub tenant_failures: i64,
}

/// The circuit breakers of an agent taken together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BreakerStatus {
    pub state: Breaker,
    /// `None` while it is closed.
    pub cause: Option<BreakerCause>,
    pub opened_at: Option<Time>,
    /// When it is tried next; `None` while it is closed or half open.
    pub until: Option<Time>,
    pub failures: i64,
}

impl BreakerRecord {
    /// The breaker that keeps the tenant's sessions away the longest.
    pub fn status(&self, now: Time) -> BreakerStatus {
        if let Some(since) = self.server_down_since {
            return BreakerStatus {
                state: Breaker::Open,
                cause: Some(BreakerCause::Server),
                opened_at: Some(since),
                until: self.server_probe_at,
                failures: self.server_failures.into(),
            };
        }
        let of_work = |opened_at: Time, failures: i64| {
            let until = opened_at + BREAKER_PAUSE;
            let is_open = now < until;
            let state = if is_open { Breaker::Open } else { Breaker::HalfOpen };
            let until = is_open.then_some(until);
            BreakerStatus { state, cause: Some(BreakerCause::Work), opened_at: Some(opened_at), until, failures }
        };
        let common = self.common_opened_at.map(|at| of_work(at, self.common_failures));
        // The breaker for all tenants ends after its pause; the trials are those of each tenant.
        let common = common.filter(|common| common.state == Breaker::Open);
        let own = self.tenant_opened_at.map(|at| of_work(at, self.tenant_failures));
        let closed = BreakerStatus { state: Breaker::Closed, cause: None, opened_at: None, until: None, failures: 0 };
        [common, own].into_iter().flatten().max_by_key(|one| one.until).unwrap_or(closed)
    }
}

impl BreakerStatus {
    /// Why the agent of this name gets no work, or one session only; `None` while it is closed.
    pub fn describe(&self, agent: &str) -> Option<String> {
        Some(describe_breaker(agent, self.cause?, self.failures, self.until))
    }
}

/// A breaker in words: open with the time of the next try, or half open.
pub fn describe_breaker(agent: &str, cause: BreakerCause, failures: i64, until: Option<Time>) -> String {
    let whose = match cause {
        BreakerCause::Server => "its server",
        BreakerCause::Work => "its work",
    };
    let plural = if failures == 1 { "failure" } else { "failures" };
    let after = format!("after {failures} {plural} of {whose}");
    match until {
        Some(until) => format!("{agent}: paused {after}, next try {}", until.format("%H:%M:%S")),
        None => format!("{agent}: one trial at a time {after}"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Time {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    #[test]
    fn the_words_name_the_cause_the_count_and_the_next_try() {
        let now = at("2026-06-01T06:10:00Z");
        let server = BreakerRecord {
            server_down_since: Some(now),
            server_failures: 7,
            server_probe_at: Some(now + TimeDelta::seconds(5)),
            ..BreakerRecord::default()
        };
        let words = |record: BreakerRecord, now| record.status(now).describe("reviewer-1");
        let expected = "reviewer-1: paused after 7 failures of its server, next try 06:10:05";
        assert_eq!(words(server, now).unwrap(), expected);
        let work = BreakerRecord { tenant_opened_at: Some(now), tenant_failures: 5, ..BreakerRecord::default() };
        assert_eq!(words(work, now).unwrap(), "reviewer-1: paused after 5 failures of its work, next try 06:20:00");
        let later = now + TimeDelta::minutes(10);
        assert_eq!(words(work, later).unwrap(), "reviewer-1: one trial at a time after 5 failures of its work");
        assert_eq!(words(BreakerRecord::default(), now), None);
    }

    proptest! {
        #[test]
        fn the_breaker_is_open_while_any_of_the_three_is(
            down in any::<bool>(), common in proptest::option::of(0_i64..30), own in proptest::option::of(0_i64..30)
        ) {
            let now = at("2026-06-01T12:00:00Z");
            let opened = |ago: Option<i64>| ago.map(|ago| now - TimeDelta::minutes(ago));
            let record = BreakerRecord {
                server_down_since: down.then_some(now),
                common_opened_at: opened(common),
                tenant_opened_at: opened(own),
                ..BreakerRecord::default()
            };
            let is_recent = |ago: Option<i64>| ago.is_some_and(|ago| ago < 10);
            let expected = if down || is_recent(common) || is_recent(own) {
                Breaker::Open
            } else if own.is_some() {
                Breaker::HalfOpen
            } else {
                Breaker::Closed
            };
            prop_assert_eq!(record.status(now).state, expected);
        }
    }
}
