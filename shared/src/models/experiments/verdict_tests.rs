use super::{
    super::{Experiment, ExperimentStatus},
    *,
};
use crate::kernel::{actor::Actor, clock::Time, id::ExperimentId};

fn experiment(arms: &[&str], guardrails: Vec<Guardrail>) -> Experiment {
    let arm = |name: &&str| Arm {
        name: name.parse().unwrap(),
        model: "a/b".to_owned(),
        weight: 1,
        runs_on: None,
        stopped_at: None,
        stopped_why: None,
    };
    Experiment {
        id: ExperimentId::new(),
        name: "one".parse().unwrap(),
        description: None,
        target: None,
        session_type: None,
        salt: "salt".to_owned(),
        guardrails,
        arms: arms.iter().map(arm).collect(),
        status: ExperimentStatus::Running,
        stop_reason: None,
        winner: None,
        winner_at: None,
        promoted: None,
        version: 1,
        created_by: Actor::system_part("test"),
        created_at: Time::default(),
        started_at: Some(Time::default()),
        stopped_at: None,
    }
}

/// Arms with so many successes of 200 trees each; the k-th stands against the k-th, the successes first.
fn known(successes: &[(&str, i64)]) -> ArmTallies {
    let mut known = ArmTallies::default();
    for (name, good) in successes {
        let figures = ArmStats {
            trees: 200,
            sessions: 200,
            successes: BTreeMap::from([(WHOLE, *good), (0, 200 - good)]),
            cost_micros: 200 * 30_000,
            duration_ms: 200 * 60_000,
            tokens: 200 * 1000,
        };
        known.arms.insert((*name).to_owned(), figures);
    }
    for (at, (a, good_a)) in successes.iter().enumerate() {
        for (b, good_b) in &successes[at + 1..] {
            let mut tally = Tally::default();
            tally.add(if good_b > good_a { WHOLE } else { -WHOLE }, (good_b - good_a).abs());
            tally.add(0, 200 - (good_b - good_a).abs());
            known.pairs.insert(((*a).to_owned(), (*b).to_owned()), tally);
        }
    }
    known
}

#[test]
fn an_arm_wins_when_it_is_better_than_every_other_one() {
    let two = experiment(&["a", "b"], Vec::new());
    assert_eq!(ArmVerdict::evaluate_arms(&two, &known(&[("a", 100), ("b", 150)])).winner.as_deref(), Some("b"));
    assert_eq!(ArmVerdict::evaluate_arms(&two, &known(&[("a", 150), ("b", 100)])).winner.as_deref(), Some("a"));
    assert_eq!(ArmVerdict::evaluate_arms(&two, &known(&[("a", 100), ("b", 103)])).winner, None);
    let mut three = experiment(&["a", "b", "c"], Vec::new());
    let figures = known(&[("a", 100), ("b", 150), ("c", 151)]);
    assert_eq!(ArmVerdict::evaluate_arms(&three, &figures).winner, None, "b and c are not told apart");
    three.arms[2].stopped_at = Some(Time::default());
    assert_eq!(ArmVerdict::evaluate_arms(&three, &figures).winner.as_deref(), Some("b"), "c is out");
    three.arms[0].stopped_at = Some(Time::default());
    assert_eq!(ArmVerdict::evaluate_arms(&three, &figures).winner, None, "nobody is left to win against");
}

#[test]
fn no_winner_is_called_while_the_trees_are_not_spread_as_the_weights_say() {
    let two = experiment(&["a", "b"], Vec::new());
    let mut figures = known(&[("a", 100), ("b", 150)]);
    figures.arms.get_mut("a").unwrap().trees = 400;
    let verdict = ArmVerdict::evaluate_arms(&two, &figures);
    assert!(verdict.mismatch && verdict.winner.is_none(), "{verdict:?}");
    assert_eq!(verdict.comparisons[0].better.as_deref(), Some("b"));
}

#[test]
fn a_guardrail_is_broken_once_enough_sessions_show_it() {
    let of = |metric, limit, min_sessions| {
        let guarded = experiment(&["a", "b"], vec![Guardrail { metric, limit, min_sessions }]);
        let broken = ArmVerdict::evaluate_arms(&guarded, &known(&[("a", 40), ("b", 150)])).broken;
        broken.into_iter().map(|(arm, _)| arm).collect::<Vec<_>>()
    };
    assert_eq!(of(Metric::SuccessRate, 0.5, 200), ["a"]);
    assert!(of(Metric::SuccessRate, 0.5, 201).is_empty());
    assert!(of(Metric::SuccessRate, 0.2, 20).is_empty(), "just at the limit");
    assert_eq!(of(Metric::CostUsd, 0.02, 20), ["a", "b"]);
    assert!(of(Metric::CostUsd, 0.03, 20).is_empty());
    assert_eq!(of(Metric::DurationSeconds, 59.0, 20), ["a", "b"]);
    assert_eq!(of(Metric::Tokens, 999.0, 20), ["a", "b"]);
}

#[test]
fn an_experiment_without_sessions_has_no_verdict() {
    let guardrail = Guardrail { metric: Metric::CostUsd, limit: 0.0, min_sessions: 1 };
    let verdict = ArmVerdict::evaluate_arms(&experiment(&["a", "b"], vec![guardrail]), &ArmTallies::default());
    assert_eq!((verdict.winner, verdict.broken.len(), verdict.mismatch), (None, 0, false));
}
