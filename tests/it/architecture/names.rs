//! Measures of the names of functions and types.

use std::collections::BTreeMap;

use super::{
    exceptions::{Violation, hold, report},
    sources::{SOURCES, Source},
};

const ONE_WORD_PERCENT: usize = 45;
const MEAN_LETTERS: usize = 10;
const REUSED_TYPES_PERCENT: usize = 12;

fn shared() -> impl Iterator<Item = &'static Source> {
    SOURCES.iter().filter(|source| source.path.starts_with("shared/src/"))
}

/// The names that we chose: neither those of tests nor those that a trait prescribes.
fn functions() -> Vec<&'static str> {
    let chosen = shared().flat_map(|source| &source.functions).filter(|one| !one.in_tests && !one.implements_trait);
    chosen.map(|function| function.name.as_str()).collect()
}

/// A measure beyond its limit counts one violation per point beyond it, so that it shrinks like any other exception.
fn measure(rule: &str, remedy: &str, beyond: usize, text: &str) {
    report(&format!("{rule}: {text}"));
    let one = |_| Violation { area: "shared/src".into(), path: "shared/src".into(), line: 1, text: text.to_owned() };
    hold(rule, remedy, &(0..beyond).map(one).collect::<Vec<_>>());
}

#[test]
fn at_most_45_percent_of_the_functions_of_shared_have_one_word() {
    let names = functions();
    let one_word = names.iter().filter(|name| !name.contains('_')).count();
    let percent = (one_word * 100).div_ceil(names.len());
    let text =
        format!("{percent} % of {} functions have a name of one word, at most {ONE_WORD_PERCENT} %", names.len());
    measure("names-one-word", "Name functions by verb and object.", percent.saturating_sub(ONE_WORD_PERCENT), &text);
}

#[test]
fn the_functions_of_shared_have_names_of_10_letters_on_average() {
    let names = functions();
    let tenths = names.iter().map(|name| name.len()).sum::<usize>() * 10 / names.len();
    let text = format!("the mean length is {}.{} letters, at least {MEAN_LETTERS}", tenths / 10, tenths % 10);
    measure("names-length", "Name functions by verb and object.", (MEAN_LETTERS * 10).saturating_sub(tenths), &text);
}

#[test]
fn at_most_12_percent_of_the_types_of_shared_share_their_name() {
    let mut types: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for source in shared() {
        for one in &source.types {
            types.entry(&one.name).or_default().push(format!("{}:{}", source.path, one.line));
        }
    }
    let reused: Vec<_> = types.iter().filter(|(_, places)| places.len() > 1).collect();
    for (name, places) in &reused {
        report(&format!("type `{name}` stands {} times: {}", places.len(), places.join(", ")));
    }
    let (all, twice) =
        (types.values().map(Vec::len).sum::<usize>(), reused.iter().map(|(_, one)| one.len()).sum::<usize>());
    let percent = (twice * 100).div_ceil(all);
    let text = format!("{percent} % of {all} types share their name with another, at most {REUSED_TYPES_PERCENT} %");
    measure("names-reused-types", "Qualify the name of a type.", percent.saturating_sub(REUSED_TYPES_PERCENT), &text);
}
