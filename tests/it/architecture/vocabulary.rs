//! The words that `docs/glossary.md` bans: in identifiers, and in the prose of comments, messages, documents and the
//! OpenAPI document.

use std::{collections::BTreeMap, fs, sync::LazyLock};

use super::{
    exceptions::{Violation, hold},
    sizes::violation,
    sources::{SOURCES, area, files, root},
};

const GLOSSARY: &str = "docs/glossary.md";

/// The banned terms, each as its words, by their first.
static BANNED: LazyLock<BTreeMap<String, Vec<Vec<String>>>> = LazyLock::new(read_banned);

/// The first column of the table whose header begins with `banned`.
fn read_banned() -> BTreeMap<String, Vec<Vec<String>>> {
    let text = fs::read_to_string(root().join(GLOSSARY)).expect("the glossary");
    let rows = text.lines().skip_while(|line| !line.starts_with("| banned")).skip(2);
    let cells = rows.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    let terms = cells.flat_map(|cell| cell.split(','));
    let mut banned: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for term in terms {
        let words: Vec<_> = term.split([' ', '-']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        banned.entry(words[0].clone()).or_default().push(words);
    }
    banned
}

/// The banned terms that stand in a row of words.
fn banned_in(words: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let terms = BANNED.get(word).into_iter().flatten();
        found.extend(terms.filter(|term| words[at..].starts_with(term)).map(|term| term.join(" ")));
    }
    found
}

/// `TellTenant` and `tell_tenant` are `tell` and `tenant`.
fn words_of_identifier(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for letter in name.chars() {
        let begins = letter == '_' || letter.is_uppercase() && !before.is_uppercase();
        if begins {
            words.push(String::new());
        }
        if letter != '_' {
            words.last_mut().expect("a word").extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// This file must name what it bans.
fn may_name_banned_words(path: &str) -> bool {
    path == GLOSSARY || path == "tests/it/architecture/vocabulary.rs"
}

/// The words of a text, without what stands in backticks: that names code.
fn words_of_prose(text: &str) -> Vec<String> {
    let plain: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" . ");
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    plain.split(|letter| !is_letter(letter)).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn found_in_prose(path: &str, area: &str, line: usize, text: &str, found: &mut Vec<Violation>) {
    for term in banned_in(&words_of_prose(text)) {
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = format!("\"{term}\" in: {}", one_line.chars().take(100).collect::<String>());
        found.push(Violation { area: area.to_owned(), path: path.to_owned(), line, text });
    }
}

/// The lines of a Markdown page outside of fenced code.
fn markdown(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter(move |(_, line)| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced
    })
}

#[test]
fn no_identifier_has_a_word_that_the_glossary_bans() {
    let mut violations = Vec::new();
    for source in SOURCES.iter() {
        for identifier in &source.identifiers {
            for term in banned_in(&words_of_identifier(&identifier.name)) {
                violations.push(violation(source, identifier.line, format!("`{}` has \"{term}\"", identifier.name)));
            }
        }
    }
    hold("banned-identifiers", "Take the word of docs/glossary.md.", &violations);
}

#[test]
fn no_comment_or_message_has_a_word_that_the_glossary_bans() {
    let mut violations = Vec::new();
    for source in SOURCES.iter().filter(|source| !may_name_banned_words(&source.path)) {
        for (at, line) in source.text.lines().enumerate() {
            if let Some(comment) = line.trim_start().strip_prefix("//") {
                found_in_prose(&source.path, &source.area(), at + 1, comment, &mut violations);
            }
        }
        // Documentation is an attribute with a text, and was read as a comment above.
        let lines: Vec<_> = source.text.lines().map(str::trim_start).collect();
        let is_comment = |line: usize| lines[line - 1].starts_with("//");
        for sentence in source.sentences.iter().filter(|sentence| !is_comment(sentence.line)) {
            found_in_prose(&source.path, &source.area(), sentence.line, &sentence.name, &mut violations);
        }
    }
    hold("banned-prose", "Take the word of docs/glossary.md.", &violations);
}

#[test]
fn no_document_has_a_word_that_the_glossary_bans() {
    let top = ["AGENTS.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md", "template.yaml", "Makefile"];
    let top = top.iter().filter_map(|path| Some(((*path).to_owned(), fs::read_to_string(root().join(path)).ok()?)));
    let folders =
        ["docs", "migrations", "examples"].into_iter().flat_map(|one| files(one, &["json", "md", "sql", "py"]));
    let mut violations = Vec::new();
    for (path, text) in top.chain(folders).filter(|(path, _)| !may_name_banned_words(path) && !path.contains("/.venv/"))
    {
        for (at, line) in markdown(&text) {
            found_in_prose(&path, &area(&path), at + 1, line, &mut violations);
        }
    }
    hold("banned-documents", "Take the word of docs/glossary.md.", &violations);
}

#[test]
fn the_banned_words_are_found_in_identifiers_and_in_prose() {
    assert!(BANNED.len() > 20, "{GLOSSARY} has no table of banned words: {BANNED:?}");
    assert_eq!(banned_in(&words_of_identifier("TellTenant")), ["tell"]);
    assert_eq!(banned_in(&words_of_identifier("give_back")), ["give back"]);
    assert!(banned_in(&words_of_identifier("HEARTBEAT_string")).is_empty());
    assert_eq!(banned_in(&words_of_prose("Whoever rings, is told.")), ["rings", "told"]);
    assert!(banned_in(&words_of_prose("A string names `ring` and `tell`.")).is_empty());
}
