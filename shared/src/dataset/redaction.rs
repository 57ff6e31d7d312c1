//! Secrets and personal data taken out of what becomes a sample, and counted by their kind.
//!
//! Secrets are those that the whole product knows ([`redact`]). Personal data is looked for here alone: in a log or an
//! event an address may be what it is about, in training data it is only learnt by heart. In doubt it is taken out.

mod personal;

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use crate::redact::{self, Note};

/// Takes out, and counts what it took.
#[derive(Debug, Default)]
pub struct Redactor {
    counts: BTreeMap<String, u64>,
}

impl Redactor {
    /// The text without secrets and personal data.
    pub fn text(&mut self, text: &str) -> String {
        let mut note = |kind: &str| *self.counts.entry(kind.to_owned()).or_default() += 1;
        let clean = redact::noting(text, &mut note);
        match personal::redacted(&clean, &mut note) {
            Cow::Owned(cleaner) => cleaner,
            Cow::Borrowed(_) => clean.into_owned(),
        }
    }

    /// The value as JSON on one line, without them: also by the names of its fields.
    pub fn json(&mut self, mut value: Value) -> String {
        let mut note = |kind: &str| *self.counts.entry(kind.to_owned()).or_default() += 1;
        redact::mask(&mut value, &mut note);
        without_personal(value, &mut note).to_string()
    }

    /// How many were taken out so far, by kind.
    pub fn counts(self) -> BTreeMap<String, u64> {
        self.counts
    }
}

/// Text by text, before it is escaped: the names of fields as well as their values.
fn without_personal(value: Value, note: Note<'_>) -> Value {
    match value {
        Value::String(text) => match personal::redacted(&text, note) {
            Cow::Owned(clean) => Value::String(clean),
            Cow::Borrowed(_) => Value::String(text),
        },
        Value::Array(values) => values.into_iter().map(|value| without_personal(value, note)).collect(),
        Value::Object(fields) => {
            let clean = |(name, value): (String, Value)| {
                (personal::redacted(&name, note).into_owned(), without_personal(value, note))
            };
            Value::Object(fields.into_iter().map(clean).collect())
        }
        other => other,
    }
}

#[cfg(test)]
#[path = "redaction_tests.rs"]
mod tests;
