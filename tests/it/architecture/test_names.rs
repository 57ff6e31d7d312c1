//! The names of tests: plain sentences.

use super::{exceptions::hold, sizes::violation, sources::SOURCES};

const LETTERS: usize = 80;
const WORDS: usize = 3;

/// A sentence that begins so is a riddle without its verb: it has no subject that one could search for.
const RIDDLES: [&str; 10] = ["of", "that", "test", "to", "what", "whatever", "which", "who", "whoever", "whose"];

#[test]
fn every_test_name_is_a_plain_sentence_of_at_most_80_letters() {
    let mut violations = Vec::new();
    for source in SOURCES.iter() {
        for test in source.functions.iter().filter(|function| function.is_test) {
            let name = &test.name;
            let words: Vec<_> = name.split('_').collect();
            let wrong = match words[0] {
                _ if name.len() > LETTERS => Some(format!("has {} letters, at most {LETTERS}", name.len())),
                _ if words.len() < WORDS => Some("is no sentence".to_owned()),
                first if RIDDLES.contains(&first) => Some(format!("begins with \"{first}\", not with its subject")),
                _ => None,
            };
            violations.extend(wrong.map(|wrong| violation(source, test.line, format!("`{name}` {wrong}"))));
        }
    }
    hold("test-names", "Say who does what: `a_paused_session_cannot_complete`.", &violations);
}
