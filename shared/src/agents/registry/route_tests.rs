use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::{
    agents::registry::{
        AgentType, Kind, State,
        breaker::{BreakerCause, BreakerRecord},
        performance::{PerformanceStats, Tier},
        requirements::RequirementsInput,
        trust::TrustRecord,
    },
    kernel::{actor::Actor, clock::Clock, error::ValidationErrors},
};

fn agent(name: &str) -> Agent {
    let now = Clock::System.now();
    Agent {
        id: AgentId::new(),
        tenant_id: None,
        name: name.to_owned(),
        kind: Kind::Eap,
        agent_type: AgentType::Implementer,
        description: None,
        capabilities: Vec::new(),
        skills: Vec::new(),
        capacity: Some(5),
        endpoint_url: None,
        software_version: None,
        metadata: Map::new(),
        routable: true,
        state: State::Active,
        deregistered_at: None,
        liveness: Liveness::Alive,
        last_heartbeat_at: None,
        reported_status: None,
        reported_load: None,
        reported_tasks: None,
        metrics: json!({}),
        figures: PerformanceStats::default(),
        last_result_at: None,
        breakers: BreakerRecord::default(),
        trust: TrustRecord { trusted: true, ..TrustRecord::default() },
        offers_ignored_since: None,
        pool: None,
        shared_with_all: false,
        version: 1,
        created_by: Actor::system_part("test"),
        created_at: now,
        updated_at: now,
        running: 0,
        tenant_running: 0,
    }
}

fn now() -> Time {
    Clock::System.now()
}

fn order(agents: &[Agent], wanted: &RoutingRequirements) -> Vec<String> {
    rank_agents(agents, wanted, None, now()).candidates.iter().map(|one| one.agent.name.clone()).collect()
}

#[test]
fn the_score_is_the_sum_of_the_parts_that_the_rules_name() {
    let mut best = agent("best");
    best.figures = PerformanceStats { finished: 20, succeeded: 20.0, ..PerformanceStats::default() };
    let wanted = RoutingRequirements {
        preferred_agent_ids: vec![best.id],
        preferred_agent_type: Some(AgentType::Implementer),
        ..RoutingRequirements::default()
    };
    // The lower end of the interval of 20 of 20 successes is 0.8389.
    let score = score_agent(&best, &wanted);
    assert!((score.total - (0.4 * 0.8389 + 0.3 + 0.2 + 0.1 + 0.2 + 0.3)).abs() < 1e-4, "{score:?}");
    let without = score_agent(&agent("new"), &RoutingRequirements::default());
    assert!((without.total - (0.3 + 0.2 + 0.1)).abs() < 1e-9, "{without:?}");
    let busy = Agent { running: 4, reported_status: Some(Status::Busy), ..agent("busy") };
    assert!((score_agent(&busy, &RoutingRequirements::default()).total - (0.3 + 0.1)).abs() < 1e-9);
}

fn newcomer(name: &str) -> Agent {
    Agent { trust: TrustRecord::default(), ..agent(name) }
}

#[test]
fn a_newcomer_gets_one_session_at_a_time_unless_a_lead_trusts_it() {
    let wanted = RoutingRequirements::default();
    let reason = |agent: &Agent| exclusion_reason(agent, &wanted, None, now());
    assert_eq!(reason(&newcomer("new")), None);
    let mut busy = Agent { running: 1, tenant_running: 1, ..newcomer("busy") };
    busy.trust.unnamed_running = 1;
    assert_eq!(reason(&busy), Some(ExclusionReason::OnProbation { successes: 0.0 }));
    let trusted = Agent { trust: TrustRecord { trusted: true, ..busy.trust }, ..busy.clone() };
    assert_eq!(reason(&trusted), None);
    busy.figures = PerformanceStats { finished: 4, succeeded: 3.0, ..PerformanceStats::default() };
    assert_eq!(reason(&busy), None, "three successes end it");
    let mut foreign = newcomer("foreign");
    foreign.trust.serves = false;
    assert_eq!(reason(&foreign), Some(ExclusionReason::Restricted));
    let mut untested = agent("untested");
    untested.trust.lacks_conformance = true;
    assert_eq!(reason(&untested), Some(ExclusionReason::LacksConformance));
}

#[test]
fn among_equal_scores_fewer_sessions_win_then_the_longest_idle_time() {
    let worked = |name: &str, ago: i64| Agent { last_result_at: Some(now() - TimeDelta::minutes(ago)), ..agent(name) };
    let one_running = Agent { running: 1, capacity: Some(50), ..agent("one running") };
    let agents = [one_running, worked("lately", 1), worked("long ago", 9), agent("never")];
    assert_eq!(order(&agents, &RoutingRequirements::default()), ["never", "long ago", "lately", "one running"]);
}

fn able_agent() -> Agent {
    Agent {
        capabilities: vec!["debugging".to_owned(), "testing".to_owned()],
        skills: vec!["rust".to_owned()],
        figures: PerformanceStats { finished: 10, succeeded: 9.0, ..PerformanceStats::default() },
        ..agent("able")
    }
}

#[test]
fn an_excluded_agent_has_the_first_reason() {
    let wanted = RequirementsInput {
        required_capabilities: vec!["testing".to_owned(), "debugging".to_owned()],
        skills: vec!["rust".to_owned()],
        minimum_tier: Some("advanced".to_owned()),
        ..RequirementsInput::default()
    };
    let wanted = wanted.parse(&mut ValidationErrors::default(), str::to_owned);
    let able = able_agent();
    let reason = |agent: Agent| exclusion_reason(&agent, &wanted, None, now());
    assert_eq!(reason(able.clone()), None);
    let missing = |missing: &[&str]| missing.iter().map(|one| (*one).to_owned()).collect();
    let testing = vec!["testing".to_owned()];
    for (changed, expected) in [
        (Agent { routable: false, ..able.clone() }, ExclusionReason::OnlyByName),
        (Agent { state: State::Draining, ..able.clone() }, ExclusionReason::Draining),
        (Agent { state: State::Maintenance, ..able.clone() }, ExclusionReason::Maintenance),
        (Agent { state: State::Deregistered, ..able.clone() }, ExclusionReason::Deregistered),
        (Agent { liveness: Liveness::Offline, ..able.clone() }, ExclusionReason::Offline),
        (Agent { liveness: Liveness::Suspect, ..able.clone() }, ExclusionReason::Degraded),
        (
            Agent { capabilities: testing, ..able.clone() },
            ExclusionReason::MissingCapabilities { missing: missing(&["debugging"]) },
        ),
        (Agent { skills: Vec::new(), ..able.clone() }, ExclusionReason::MissingSkills { missing: missing(&["rust"]) }),
        (
            Agent { figures: PerformanceStats::default(), ..able.clone() },
            ExclusionReason::BelowTier { tier: Tier::Standard },
        ),
        (Agent { offers_ignored_since: Some(now()), ..able.clone() }, ExclusionReason::IgnoresOffers),
        (Agent { running: 5, ..able.clone() }, ExclusionReason::AtCapacity),
    ] {
        assert_eq!(reason(changed), Some(expected));
    }
    assert_eq!(exclusion_reason(&able, &wanted, Some(able.id), now()), Some(ExclusionReason::LostIt));
}

#[test]
fn an_open_breaker_excludes_with_its_cause_and_its_next_try() {
    let opened = now();
    let of_work = BreakerRecord { tenant_opened_at: Some(opened), tenant_failures: 5, ..BreakerRecord::default() };
    let of_server = BreakerRecord { server_down_since: Some(opened), server_failures: 2, ..BreakerRecord::default() };
    let reason = |breakers| {
        let agent = Agent { breakers, ..agent("broken") };
        exclusion_reason(&agent, &RoutingRequirements::default(), None, opened)
    };
    let until = Some(opened + TimeDelta::minutes(10));
    let expected = ExclusionReason::BreakerOpen { cause: BreakerCause::Work, failures: 5, until };
    assert_eq!(reason(of_work), Some(expected));
    let expected = ExclusionReason::BreakerOpen { cause: BreakerCause::Server, failures: 2, until: None };
    assert_eq!(reason(of_server), Some(expected));
}

#[test]
fn a_half_open_breaker_lets_one_session_through() {
    let opened = Some(now() - TimeDelta::minutes(10));
    let breakers = BreakerRecord { tenant_opened_at: opened, ..BreakerRecord::default() };
    let tried = Agent { breakers, running: 2, ..agent("tried") };
    assert_eq!(exclusion_reason(&tried, &RoutingRequirements::default(), None, now()), None);
    let trying = Agent { running: 3, tenant_running: 1, ..tried };
    assert_eq!(
        exclusion_reason(&trying, &RoutingRequirements::default(), None, now()),
        Some(ExclusionReason::AtCapacity)
    );
}

proptest! {
    #[test]
    fn no_newcomer_ranks_before_a_proven_agent_whatever_is_preferred(
        fleet in proptest::collection::vec((any::<bool>(), 0_i64..40, 0.0_f64..1.0, 0_i64..5, 0_usize..8), 1..12),
        preferred in 0_usize..8,
        preferred_id in 0_usize..12,
    ) {
        let agents: Vec<_> = fleet.iter().map(|&(trusted, finished, rate, running, kind)| Agent {
            running,
            agent_type: AgentType::ALL[kind],
            trust: TrustRecord { trusted, ..TrustRecord::default() },
            #[expect(clippy::cast_precision_loss, reason = "a small count")]
            figures: PerformanceStats { finished, succeeded: finished as f64 * rate, ..PerformanceStats::default() },
            ..agent("one")
        }).collect();
        let wanted = RoutingRequirements {
            preferred_agent_type: Some(AgentType::ALL[preferred]),
            preferred_agent_ids: agents.get(preferred_id).map(|one| one.id).into_iter().collect(),
            ..RoutingRequirements::default()
        };
        let ranking = rank_agents(&agents, &wanted, None, now());
        let order: Vec<_> = ranking.candidates.iter().map(|one| one.agent.is_on_probation()).collect();
        prop_assert!(order.is_sorted(), "{order:?}");
        for one in &ranking.candidates {
            prop_assert!(!one.agent.is_on_probation() || one.score.preferred_type.abs() < f64::EPSILON);
            prop_assert!((0.0..=SUCCESS).contains(&one.score.success));
        }
    }

    #[test]
    fn another_success_never_lowers_the_score_and_a_failure_never_raises_it(finished in 0_i64..200, rate in 0.0_f64..=1.0) {
        #[expect(clippy::cast_precision_loss, reason = "a small count")]
        let succeeded = (finished as f64 * rate).floor();
        let scored = |finished, succeeded| {
            let figures = PerformanceStats { finished, succeeded, ..PerformanceStats::default() };
            score_agent(&Agent { figures, ..agent("one") }, &RoutingRequirements::default()).success
        };
        prop_assert!(scored(finished + 1, succeeded + 1.0) >= scored(finished, succeeded) - 1e-6);
        prop_assert!(scored(finished + 1, succeeded) <= scored(finished, succeeded) + 1e-6);
    }

    #[test]
    fn every_agent_is_either_ranked_or_left_out_and_nobody_unfit_is_ranked(
        fleet in proptest::collection::vec((0_i64..8, 0_u8..4, any::<bool>(), 0_i64..30, 0.0_f64..1.0), 0..12),
        asks in any::<bool>(),
    ) {
        let agents: Vec<_> = fleet.iter().map(|&(running, state, tests, finished, rate)| Agent {
            running,
            state: State::ALL[usize::from(state)],
            capabilities: if tests { vec!["testing".to_owned()] } else { Vec::new() },
            #[expect(clippy::cast_precision_loss, reason = "a small count")]
            figures: PerformanceStats { finished, succeeded: finished as f64 * rate, ..PerformanceStats::default() },
            ..agent("one")
        }).collect();
        let wanted = RoutingRequirements {
            capabilities: if asks { vec!["testing".to_owned()] } else { Vec::new() },
            ..RoutingRequirements::default()
        };
        let ranking = rank_agents(&agents, &wanted, None, now());
        prop_assert_eq!(ranking.candidates.len() + ranking.left_out.len(), agents.len());
        for candidate in &ranking.candidates {
            prop_assert!(candidate.agent.state == State::Active && candidate.agent.running < 5);
            prop_assert!(!asks || candidate.agent.capabilities.contains(&"testing".to_owned()));
        }
        let rank = |one: &RoutingCandidate<'_>| (one.agent.is_on_probation(), -one.score.total);
        prop_assert!(ranking.candidates.windows(2).all(|two| rank(&two[0]) <= rank(&two[1])));
    }
}
