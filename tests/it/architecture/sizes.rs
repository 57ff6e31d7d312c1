//! How long files, functions and lines may be, how modules lie in files, and what each begins with.

use std::collections::BTreeSet;

use super::{
    exceptions::{Violation, hold},
    sources::{SOURCES, Source},
};

const LINES_OF_A_FILE: usize = 400;
const LINES_OF_A_FUNCTION: usize = 40;
const COLUMNS: usize = 120;

pub(super) fn violation(source: &Source, line: usize, text: String) -> Violation {
    Violation { area: source.area(), path: source.path.clone(), line, text }
}

#[test]
fn no_file_has_more_than_400_lines() {
    let too_long = |source: &Source| {
        let lines = source.text.lines().count();
        (lines > LINES_OF_A_FILE).then(|| violation(source, lines, format!("{lines} lines")))
    };
    hold("file-length", "Split the file by subject.", &SOURCES.iter().filter_map(too_long).collect::<Vec<_>>());
}

#[test]
fn no_function_has_more_than_40_lines() {
    let mut violations = Vec::new();
    for source in SOURCES.iter() {
        for function in source.functions.iter().filter(|function| function.lines > LINES_OF_A_FUNCTION) {
            violations.push(violation(
                source,
                function.line,
                format!("`{}` has {} lines", function.name, function.lines),
            ));
        }
    }
    hold("function-length", "Extract a step of it into a function with a name.", &violations);
}

#[test]
fn no_comment_is_wider_than_120_columns() {
    let mut violations = Vec::new();
    for source in SOURCES.iter() {
        for (at, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("//") && line.chars().count() > COLUMNS {
                violations.push(violation(source, at + 1, format!("{} columns", line.chars().count())));
            }
        }
    }
    hold("comment-width", "Break the line.", &violations);
}

#[test]
fn a_module_with_children_is_a_mod_rs() {
    let folders: BTreeSet<_> =
        SOURCES.iter().filter_map(|source| source.path.rsplit_once('/')).map(|one| one.0).collect();
    let beside = |source: &Source| {
        let folder = source.path.strip_suffix(".rs").filter(|folder| folders.contains(folder))?;
        Some(violation(source, 1, format!("stands beside the folder {folder}")))
    };
    hold(
        "module-style",
        "Move the file to mod.rs in its folder.",
        &SOURCES.iter().filter_map(beside).collect::<Vec<_>>(),
    );
}

#[test]
fn every_module_begins_with_its_purpose() {
    let silent = |source: &Source| {
        let begins = source.text.starts_with("//!") || source.is_of_tests();
        (!begins).then(|| violation(source, 1, "does not begin with //!".to_owned()))
    };
    hold(
        "module-purpose",
        "Begin with //! and one sentence of purpose.",
        &SOURCES.iter().filter_map(silent).collect::<Vec<_>>(),
    );
}
