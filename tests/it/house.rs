//! The house rules that no lint knows: who may use whom, how large a file may be, what each module begins with.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

/// The lines of code that name something, without those that belong to tests of the module itself.
fn naming<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().find(|line| !line.trim_start().starts_with("//") && line.contains(word))
}

#[track_caller]
fn none_names(folder: &str, files: impl Fn(&str) -> bool, words: &[&str]) {
    for (path, text) in sources(folder) {
        if files(&path.to_string_lossy()) {
            for word in words {
                assert_eq!(naming(&text, word), None, "{} must not know {word}", path.display());
            }
        }
    }
}

#[test]
fn functions_know_neither_postgres_nor_redis_nor_any_store_of_rows() {
    none_names(
        "functions/src",
        |_| true,
        &["tokio_postgres", "deadpool", "redis::", "Tx", "store::insert", "store::save"],
    );
}

#[test]
fn the_rules_of_a_session_are_pure() {
    let rules = ["status", "draft", "verbs", "progress", "change", "outcome", "usage", "workspace"];
    let is_rule = |path: &str| rules.iter().any(|rule| path.ends_with(&format!("session/{rule}.rs")));
    none_names("shared/src/session", is_rule, &["async fn", ".await", "crate::app", "crate::db", "Utc::now", "rand::"]);
}

#[test]
fn a_store_decides_nothing_and_calls_no_use_case() {
    let stores = |path: &str| path.contains("/store");
    none_names(
        "shared/src",
        stores,
        &["service", "crate::app", "crate::dispatch", "crate::observe", "crate::runtime::AgentRuntime"],
    );
}

#[test]
fn runtimes_know_nothing_of_the_database() {
    none_names("shared/src/runtime", |_| true, &["crate::db", "store::", "crate::app"]);
}

#[test]
fn no_file_has_more_than_400_lines() {
    for folder in ["functions/src", "shared/src", "infra/local/src", "tests"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= 400, "{} has {lines} lines: split it by what they are about", path.display());
        }
    }
}

#[test]
fn every_module_says_first_what_it_is_for() {
    for folder in ["functions/src", "shared/src", "infra/local/src", "tests"] {
        for (path, text) in sources(folder) {
            let told = text.starts_with("//!") || path.to_string_lossy().ends_with("_tests.rs");
            assert!(told, "{} does not begin with //!", path.display());
        }
    }
}
