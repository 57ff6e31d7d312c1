//! Forbidden knowledge by kind of file: rules touch no outside world, stores decide nothing, agent runtimes and
//! functions know no database.

use super::{
    dependencies::{FUNCTIONS, SHARED},
    exceptions::{Violation, hold},
    modules::Crate,
    sources::{SOURCES, Source, area},
};

/// The aggregates: in their folders every file is a pure rule, except stores, services, and the files and folders named
/// here, which do input and output.
const AGGREGATES: [(&str, &[&str]); 10] = [
    ("shared/src/agents/environments", &[]),
    ("shared/src/agents/registry", &["liveness", "platform"]),
    ("shared/src/identity/rate_limits", &["script"]),
    ("shared/src/identity/secrets", &[]),
    ("shared/src/identity/tenants", &[]),
    ("shared/src/identity/users", &[]),
    ("shared/src/models", &[]),
    ("shared/src/sessions", &[]),
    ("shared/src/training/datasets", &["output", "source"]),
    ("shared/src/training/jobs", &["dataset_gc", "prompts", "provider", "run_step", "step", "write"]),
];

/// Folders that only a service or a store may use.
const OUTSIDE: [&str; 4] = [
    "shared/src/app/",
    "shared/src/platform/object_store",
    "shared/src/platform/postgres",
    "shared/src/platform/redis",
];

/// Crates that reach the outside world.
const OUTSIDE_CRATES: [&str; 7] =
    ["deadpool_postgres", "object_store", "rand", "redis", "reqwest", "tokio", "tokio_postgres"];

fn is_store(path: &str) -> bool {
    path.contains("/store/") || path.ends_with("/store.rs")
}

fn is_service(path: &str) -> bool {
    path.contains("/service/") || path.ends_with("/service.rs")
}

/// Whether a file of an aggregate, or a folder around it, has a name.
fn is_named(inner: &str, name: &str) -> bool {
    inner.split(['/', '.']).any(|part| part == name)
}

fn is_rule(path: &str) -> bool {
    let decides = |(folder, impure): &(&str, &[&str])| {
        path.strip_prefix(folder).is_some_and(|inner| !impure.iter().any(|name| is_named(inner, name)))
    };
    !is_store(path) && !is_service(path) && AGGREGATES.iter().any(decides)
}

/// Whether a name is that of a function or a module, not of a type.
fn is_lower_case(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_lowercase())
}

/// The uses of files for which `from` holds that `to` forbids.
fn forbidden(graph: &Crate, from: impl Fn(&str) -> bool, to: impl Fn(&str, &str) -> bool) -> Vec<Violation> {
    let uses = graph.uses.iter().filter(|one| from(one.from) && to(one.to, &one.name));
    let violation = |one: &super::modules::Use| Violation {
        area: area(one.from),
        path: one.from.to_owned(),
        line: one.line,
        text: format!("uses `{}` of {}", one.name, one.to),
    };
    uses.map(violation).collect()
}

/// The paths to other crates of files for which `from` holds that `path` forbids.
fn forbidden_paths(graph: &Crate, from: impl Fn(&str) -> bool, path: impl Fn(&[String]) -> bool) -> Vec<Violation> {
    let paths = graph.foreign.iter().filter(|one| from(one.from) && path(&one.path));
    let violation = |one: &super::modules::Foreign| Violation {
        area: area(one.from),
        path: one.from.to_owned(),
        line: one.line,
        text: format!("uses `{}`", one.path.join("::")),
    };
    paths.map(violation).collect()
}

fn starts_with_any(path: &[String], crates: &[&str]) -> bool {
    path.len() > 1 && crates.contains(&path[0].as_str())
}

#[test]
fn the_rules_of_every_aggregate_are_pure() {
    let outside = |to: &str, _: &str| OUTSIDE.iter().any(|one| to.starts_with(one)) || is_store(to) || is_service(to);
    let mut violations = forbidden(&SHARED, is_rule, outside);
    violations.extend(forbidden_paths(&SHARED, is_rule, |path| {
        (starts_with_any(path, &OUTSIDE_CRATES) && path.last().is_none_or(|last| last != "Instant"))
            || path.ends_with(&["Utc".to_owned(), "now".to_owned()])
    }));
    let waits = |source: &&Source| is_rule(&source.path) && !source.is_of_tests();
    for source in SOURCES.iter().filter(waits) {
        let text = "is asynchronous".to_owned();
        let violation = |line| Violation { area: source.area(), path: source.path.clone(), line, text };
        violations.extend(source.asynchronous.map(violation));
    }
    for (folder, impure) in AGGREGATES {
        let of_aggregate: Vec<_> = SOURCES.iter().filter_map(|source| source.path.strip_prefix(folder)).collect();
        assert!(!of_aggregate.is_empty(), "AGGREGATES names {folder}, which is not there");
        for name in impure {
            let is_there = of_aggregate.iter().any(|inner| is_named(inner, name));
            assert!(is_there, "AGGREGATES excepts `{name}` in {folder}, which is not there");
        }
    }
    hold("pure-rules", "Decide on values; let a service or a store do the input and output.", &violations);
}

#[test]
fn a_store_decides_nothing_and_calls_no_use_case() {
    let higher = |to: &str, name: &str| {
        is_service(to)
            || to.starts_with("shared/src/engine/")
            || to.starts_with("shared/src/app/")
            || name == "AgentRuntime"
    };
    hold(
        "store-calls-nobody",
        "Call it in the service, before or after the store.",
        &forbidden(&SHARED, is_store, higher),
    );
}

#[test]
fn agent_runtimes_know_nothing_of_the_database() {
    let is_runtime = |path: &str| {
        let ours = ["environments", "registry", "runners", "server", "marketplace"];
        path.starts_with("shared/src/agents/") && !ours.iter().any(|part| path.contains(part))
    };
    let database = |to: &str, name: &str| {
        to.starts_with("shared/src/platform/postgres")
            || to.starts_with("shared/src/app/")
            || is_store(to) && is_lower_case(name)
    };
    hold("runtime-without-database", "Pass it what it needs as values.", &forbidden(&SHARED, is_runtime, database));
}

#[test]
fn functions_know_neither_postgres_nor_redis_and_call_no_store() {
    let forbidden = |path: &[String]| {
        let calls_store =
            || path.iter().any(|part| part == "store") && path.last().is_some_and(|one| is_lower_case(one));
        starts_with_any(path, &["deadpool_postgres", "redis", "tokio_postgres"])
            || path[0] == "shared" && (calls_store() || path.iter().any(|part| part == "Tx"))
    };
    let violations = forbidden_paths(&FUNCTIONS, |_| true, forbidden);
    hold("functions-without-store", "Call a service of shared.", &violations);
}
