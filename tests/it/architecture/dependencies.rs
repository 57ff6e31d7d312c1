//! The order of the rooms, and circles of rooms and of files.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::{
    exceptions::{Violation, hold, report},
    modules::{Crate, Use, room},
    sources::area,
};

/// The rooms of `shared/src`, top to bottom: each may use only those below it. House rule: nothing is added without an
/// entry in `docs/architecture.md`.
const LAYERS: [&str; 14] = [
    "app", "a2a", "delivery", "plans", "training", "engine", "sessions", "spend", "models", "agents", "events",
    "identity", "platform", "kernel",
];

pub(super) static SHARED: LazyLock<Crate> = LazyLock::new(|| Crate::read("shared/src"));
pub(super) static FUNCTIONS: LazyLock<Crate> = LazyLock::new(|| Crate::read("functions/src"));
static RUNNER: LazyLock<Crate> = LazyLock::new(|| Crate::read("runner/src"));

fn crates() -> [&'static Crate; 3] {
    [&SHARED, &FUNCTIONS, &RUNNER]
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| *layer == room)
}

#[test]
fn shared_has_only_the_rooms_of_the_architecture() {
    let rooms: BTreeSet<_> = SHARED.files().map(room).filter(|room| *room != "lib").collect();
    let unknown: Vec<_> = rooms.iter().filter(|room| layer(room).is_none()).collect();
    assert!(unknown.is_empty(), "shared/src has modules that LAYERS does not list: {unknown:?}");
}

/// The back imports: uses of a room above.
#[test]
fn each_room_uses_only_the_rooms_below_it() {
    let is_upward = |one: &&Use| layer(room(one.from)) > layer(room(one.to)) && room(one.to) != "lib";
    let violation = |one: &Use| Violation {
        area: area(one.from),
        path: one.from.to_owned(),
        line: one.line,
        text: format!("{} uses `{}` of the higher room {} ({})", room(one.from), one.name, room(one.to), one.to),
    };
    let violations: Vec<_> = SHARED.uses.iter().filter(is_upward).map(violation).collect();
    hold("room-order", "Move the item down, or what uses it up; see LAYERS.", &violations);
}

type Key = fn(&'static str) -> &'static str;

/// The members of the circles of a crate, each with the uses that keep it in its circle.
fn members(graph: &Crate, key: Key) -> Vec<Violation> {
    let mut violations = Vec::new();
    for circle in graph.circles(key) {
        report(&format!("circle of {}: {}", circle.len(), join(&circle)));
        for member in &circle {
            let inside =
                |one: &&Use| key(one.from) == *member && key(one.to) != *member && circle.contains(key(one.to));
            let inside: Vec<_> = graph.uses.iter().filter(inside).collect();
            let first = inside.first().expect("a member of a circle uses another");
            violations.push(Violation {
                area: area(first.from),
                path: first.from.to_owned(),
                line: first.line,
                text: format!("circle of {}: {member} uses {}", circle.len(), by_target(&inside, key)),
            });
        }
    }
    violations
}

/// `engine (3 times, first `admit` in shared/src/sessions/service/mod.rs:113)`, for each other member that is used.
fn by_target(uses: &[&Use], key: Key) -> String {
    let mut targets: BTreeMap<&str, Vec<&Use>> = BTreeMap::new();
    for one in uses {
        targets.entry(key(one.to)).or_default().push(one);
    }
    let described = targets.iter().map(|(target, uses)| {
        let first = uses[0];
        format!("{target} ({} times, first `{}` in {}:{})", uses.len(), first.name, first.from, first.line)
    });
    described.collect::<Vec<_>>().join(", ")
}

fn join(circle: &BTreeSet<&str>) -> String {
    circle.iter().copied().collect::<Vec<_>>().join(", ")
}

#[test]
fn no_rooms_use_each_other_in_a_circle() {
    let violations: Vec<_> = crates().into_iter().flat_map(|one| members(one, room)).collect();
    hold("room-circle", "Give the rooms one direction: move the shared item below both.", &violations);
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let file = |path: &'static str| path;
    let violations: Vec<_> = crates().into_iter().flat_map(|one| members(one, file)).collect();
    hold("file-circle", "Move what both need into a file below them, or the caller above.", &violations);
}

#[test]
fn the_uses_of_a_file_are_followed_to_where_the_item_is_defined() {
    // `Db` comes from the pool's own room, the item of a child through the re-export of its parent.
    let found =
        |from: &str, to: &str| SHARED.uses.iter().any(|one| one.from.starts_with(from) && one.to.starts_with(to));
    assert!(found("shared/src/sessions/store", "shared/src/platform/postgres"));
    assert!(found("shared/src/sessions/service", "shared/src/sessions/store"));
    assert!(found("shared/src/app", "shared/src/kernel"));
    assert!(!found("shared/src/kernel", "shared/src/app"));
}
