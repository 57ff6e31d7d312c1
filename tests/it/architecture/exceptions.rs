//! The exceptions: how often a rule is still broken in a folder. The numbers may only shrink, and at the end the list
//! is empty. `IOC_ARCHITECTURE=update` lowers them to what is true; nothing raises them.

use std::{collections::BTreeMap, fmt::Write, fs, sync::Mutex};

use super::sources::root;

const FILE: &str = "tests/it/architecture/exceptions.txt";
const HEADER: &str = "\
# How often a rule of tests/it/architecture is still broken in a folder: rule, folder, number.
# The numbers may only shrink. `IOC_ARCHITECTURE=update` lowers them to what is true, and drops what is cured.
";

/// One place where a rule is broken.
#[derive(Debug)]
pub(super) struct Violation {
    /// The folder for which exceptions are counted.
    pub area: String,
    pub path: String,
    pub line: usize,
    pub text: String,
}

/// By rule and folder.
type Counts = BTreeMap<(String, String), usize>;

type Found<'a> = BTreeMap<&'a str, Vec<&'a Violation>>;

fn read() -> Counts {
    let text = fs::read_to_string(root().join(FILE)).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let entry = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        let key = (words.next()?, words.next()?);
        Some((key, words.next()?.parse().ok()?))
    };
    lines.map(|line| entry(line).unwrap_or_else(|| panic!("{FILE}: cannot read {line:?}"))).collect()
}

fn write(counts: &Counts) {
    let mut text = HEADER.to_owned();
    for ((rule, area), count) in counts {
        writeln!(text, "{rule} {area} {count}").unwrap();
    }
    fs::write(root().join(FILE), text).unwrap();
}

/// The mode in `IOC_ARCHITECTURE`: `report` prints every violation, `update` lowers the exceptions.
fn mode() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration but their environment")]
    std::env::var("IOC_ARCHITECTURE").ok()
}

/// Prints also where the test harness captures what a test prints.
pub(super) fn report(text: &str) {
    use std::io::Write as _;
    if mode().as_deref() == Some("report") {
        std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
    }
}

/// Fails where a rule is broken more often in a folder than its exception says, or less often.
#[track_caller]
pub(super) fn hold(rule: &str, remedy: &str, violations: &[Violation]) {
    static WRITING: Mutex<()> = Mutex::new(());
    let mut found: Found<'_> = BTreeMap::new();
    for one in violations {
        found.entry(&one.area).or_default().push(one);
    }
    report(&format!("{rule}: {} in {} folders", violations.len(), found.len()));
    for one in violations {
        report(&format!("  {}:{}: {}", one.path, one.line, one.text));
    }
    let _writing = WRITING.lock();
    let counts = read();
    let mut wrong = beyond(rule, remedy, &found, &counts);
    if mode().as_deref() == Some("update") {
        write(&lowered(rule, &found, counts));
    } else {
        wrong += &cured(rule, &found, &counts);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The folders in which a rule is broken more often than its exception says.
fn beyond(rule: &str, remedy: &str, found: &Found<'_>, counts: &Counts) -> String {
    let mut text = String::new();
    for (area, places) in found {
        let allowed = counts.get(&(rule.to_owned(), (*area).to_owned())).copied().unwrap_or_default();
        if places.len() > allowed {
            writeln!(text, "{rule}: {} in {area}, {allowed} excepted. {remedy}", places.len()).unwrap();
            for Violation { path, line, text: what, .. } in places {
                writeln!(text, "  {path}:{line}: {what}").unwrap();
            }
        }
    }
    text
}

/// The exceptions that are higher than what is true.
fn cured(rule: &str, found: &Found<'_>, counts: &Counts) -> String {
    let mut text = String::new();
    for ((_, area), allowed) in counts.iter().filter(|((other, _), _)| other == rule) {
        let count = found.get(area.as_str()).map_or(0, Vec::len);
        if count < *allowed {
            let cure = "lower it, or run these tests with IOC_ARCHITECTURE=update";
            writeln!(text, "{FILE}: `{rule} {area} {allowed}` is cured to {count}: {cure}").unwrap();
        }
    }
    text
}

fn lowered(rule: &str, found: &Found<'_>, mut counts: Counts) -> Counts {
    for ((_, area), allowed) in counts.iter_mut().filter(|((other, _), _)| other == rule) {
        *allowed = found.get(area.as_str()).map_or(0, Vec::len).min(*allowed);
    }
    counts.retain(|_, count| *count > 0);
    counts
}
