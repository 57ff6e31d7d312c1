use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    agent::{Kind, standing::Figures},
    auth::Actor,
    clock::Clock,
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
        figures: Figures::default(),
        last_result_at: None,
        breaker_opened_at: None,
        shared_with_all: false,
        version: 1,
        created_by: Actor::system("test"),
        created_at: now,
        updated_at: now,
        running: 0,
    }
}

fn now() -> Time {
    Clock::System.now()
}

fn order(agents: &[Agent], wanted: &Requirements) -> Vec<String> {
    rank(agents, wanted, None, now()).candidates.iter().map(|one| one.agent.name.clone()).collect()
}

#[test]
fn the_score_is_the_sum_of_the_parts_that_the_rules_name() {
    let mut best = agent("best");
    best.figures = Figures { finished: 20, succeeded: 20.0, quality_sum: 1.0, quality_count: 1, ..Figures::default() };
    let wanted = Requirements {
        preferred_agent_ids: vec![best.id],
        preferred_agent_type: Some(AgentType::Implementer),
        ..Requirements::default()
    };
    assert!((score(&best, &wanted).total - 1.5).abs() < 1e-9);
    let standard = score(&agent("new"), &Requirements::default());
    assert!((standard.total - (0.4 * 0.7 + 0.3 + 0.2 + 0.1)).abs() < 1e-9, "{standard:?}");
    let busy = Agent { running: 4, reported_status: Some(Status::Busy), ..agent("busy") };
    assert!((score(&busy, &Requirements::default()).total - (0.28 + 0.3 + 0.1)).abs() < 1e-9);
}

#[test]
fn among_equals_the_one_with_fewer_sessions_goes_first_then_the_one_that_is_idle_longest() {
    let worked = |name: &str, ago: i64| Agent { last_result_at: Some(now() - TimeDelta::minutes(ago)), ..agent(name) };
    let one_running = Agent { running: 1, capacity: Some(50), ..agent("one running") };
    let agents = [one_running, worked("lately", 1), worked("long ago", 9), agent("never")];
    assert_eq!(order(&agents, &Requirements::default()), ["never", "long ago", "lately", "one running"]);
}

#[test]
fn whoever_is_left_out_is_told_the_first_reason() {
    let wanted = Raw {
        required_capabilities: vec!["testing".to_owned(), "debugging".to_owned()],
        skills: vec!["rust".to_owned()],
        minimum_tier: Some("advanced".to_owned()),
        ..Raw::default()
    };
    let wanted = wanted.parse(&mut Refusals::default(), str::to_owned);
    let able = Agent {
        capabilities: vec!["debugging".to_owned(), "testing".to_owned()],
        skills: vec!["rust".to_owned()],
        figures: Figures { finished: 10, succeeded: 9.0, ..Figures::default() },
        ..agent("able")
    };
    let reason = |agent: Agent| left_out(&agent, &wanted, None, now());
    assert_eq!(reason(able.clone()), None);
    let missing = |missing: &[&str]| missing.iter().map(|one| (*one).to_owned()).collect();
    let testing = vec!["testing".to_owned()];
    for (changed, expected) in [
        (Agent { routable: false, ..able.clone() }, LeftOut::OnlyByName),
        (Agent { state: State::Draining, ..able.clone() }, LeftOut::Draining),
        (Agent { state: State::Maintenance, ..able.clone() }, LeftOut::Maintenance),
        (Agent { state: State::Deregistered, ..able.clone() }, LeftOut::Deregistered),
        (Agent { liveness: Liveness::Offline, ..able.clone() }, LeftOut::Offline),
        (Agent { liveness: Liveness::Suspect, ..able.clone() }, LeftOut::Degraded),
        (
            Agent { capabilities: testing, ..able.clone() },
            LeftOut::MissingCapabilities { missing: missing(&["debugging"]) },
        ),
        (Agent { skills: Vec::new(), ..able.clone() }, LeftOut::MissingSkills { missing: missing(&["rust"]) }),
        (Agent { figures: Figures::default(), ..able.clone() }, LeftOut::BelowTier { tier: Tier::Standard }),
        (Agent { breaker_opened_at: Some(now()), ..able.clone() }, LeftOut::BreakerOpen),
        (Agent { running: 5, ..able.clone() }, LeftOut::AtCapacity),
    ] {
        assert_eq!(reason(changed), Some(expected));
    }
    assert_eq!(left_out(&able, &wanted, Some(able.id), now()), Some(LeftOut::LostIt));
}

#[test]
fn a_half_open_breaker_lets_one_session_through() {
    let tried = Agent { breaker_opened_at: Some(now() - TimeDelta::minutes(10)), ..agent("tried") };
    assert_eq!(left_out(&tried, &Requirements::default(), None, now()), None);
    let trying = Agent { running: 1, ..tried };
    assert_eq!(left_out(&trying, &Requirements::default(), None, now()), Some(LeftOut::AtCapacity));
}

proptest! {
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
            figures: Figures { finished, succeeded: finished as f64 * rate, ..Figures::default() },
            ..agent("one")
        }).collect();
        let wanted = Requirements {
            capabilities: if asks { vec!["testing".to_owned()] } else { Vec::new() },
            ..Requirements::default()
        };
        let ranking = rank(&agents, &wanted, None, now());
        prop_assert_eq!(ranking.candidates.len() + ranking.left_out.len(), agents.len());
        for candidate in &ranking.candidates {
            prop_assert!(candidate.agent.state == State::Active && candidate.agent.running < 5);
            prop_assert!(!asks || candidate.agent.capabilities.contains(&"testing".to_owned()));
        }
        prop_assert!(ranking.candidates.windows(2).all(|two| two[0].score.total >= two[1].score.total));
    }
}
