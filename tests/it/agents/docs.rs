//! `docs/agents.md` describes what the code does: kinds, capabilities, load levels, tiers, the parts of a score.

use std::collections::BTreeSet;

use shared::agents::registry::{
    Capability, Kind,
    performance::{ENOUGH_RESULTS, LoadLevel, PerformanceStats, Tier},
    route,
};

/// The rows of the table whose first column has this heading.
fn table(heading: &str) -> Vec<Vec<String>> {
    let path = harness::child_process::root().join("docs/agents.md");
    let text = std::fs::read_to_string(path).unwrap();
    let begins = format!("| {heading} |");
    let below = text.lines().skip_while(|line| !line.starts_with(&begins)).skip(2);
    let rows: Vec<Vec<String>> = below
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert!(!rows.is_empty(), "no table {heading}");
    rows
}

fn number(cell: &str) -> Option<f64> {
    cell.parse().ok()
}

fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

#[test]
fn the_docs_list_every_agent_kind_and_capability() {
    let kinds: Vec<_> = table("kind").iter().map(|row| Kind::parse(&row[0]).expect("a kind")).collect();
    assert_eq!(kinds, Kind::ALL);
    let listed: Vec<_> =
        table("area").iter().flat_map(|row| row[1].split(", ").map(str::to_owned).collect::<Vec<_>>()).collect();
    let known: BTreeSet<_> = Capability::ALL.iter().map(|one| one.name().to_owned()).collect();
    assert_eq!(listed.len(), known.len(), "each once");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), known);
}

#[test]
fn the_docs_state_the_bounds_and_scores_of_the_load_levels() {
    let rows = table("load level");
    let levels: Vec<_> = rows.iter().map(|row| LoadLevel::parse(&row[0]).expect("a level")).collect();
    assert_eq!(levels, LoadLevel::ALL);
    for (level, row) in levels.iter().zip(&rows) {
        assert!(same(level.score_share(), number(&row[2]).unwrap()), "{row:?}");
        let Some(end) = number(&row[1]) else { continue };
        assert_eq!(LoadLevel::of(end), *level);
        assert_ne!(LoadLevel::of(end + 1e-9), *level);
    }
}

#[test]
fn the_docs_state_the_bounds_of_the_tiers() {
    let rows = table("tier");
    let mut tiers: Vec<_> = rows.iter().map(|row| Tier::parse(&row[0]).expect("a tier")).collect();
    for (tier, row) in tiers.iter().zip(&rows) {
        let Some(from) = number(&row[1]) else { continue };
        let of = |succeeded: f64| {
            PerformanceStats {
                finished: 10_000,
                succeeded,
                quality_sum: 0.9,
                quality_count: 1,
                ..PerformanceStats::default()
            }
            .tier()
        };
        assert_eq!(of(from * 10_000.0), *tier);
        assert!(same(from, 0.0) || of(from * 10_000.0 - 1.0) < *tier, "{row:?}");
    }
    tiers.reverse();
    assert_eq!(tiers, Tier::ALL);
    assert_eq!(ENOUGH_RESULTS, 5, "as the text says");
}

#[test]
fn the_docs_state_the_weight_of_each_part_of_a_score() {
    let most: Vec<_> = table("part").iter().map(|row| number(&row[1]).unwrap()).collect();
    let parts =
        [route::SUCCESS, route::MATCHED, route::LOAD, route::AVAILABLE, route::PREFERRED_ID, route::PREFERRED_TYPE];
    assert!(most.len() == parts.len() && most.iter().zip(parts).all(|(one, other)| same(*one, other)), "{most:?}");
}
