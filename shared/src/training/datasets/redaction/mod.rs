//! Removes secrets and personal data from samples, makes special tokens harmless, and counts all by kind.
//!
//! Secrets are those that all of ioc masks ([`redact`]). Personal data is removed only here: in logs an address may
//! matter, in training data it would be memorized. When in doubt, it is removed.

mod personal;
mod special_tokens;

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use crate::kernel::redact::{self, Note};

/// A redactor, which counts what it removes.
#[derive(Debug, Default)]
pub struct Redactor {
    counts: BTreeMap<String, u64>,
}

impl Redactor {
    /// The text without secrets and personal data, and with harmless special tokens.
    pub fn redact_text(&mut self, text: &str) -> String {
        let mut note = |kind: &str| *self.counts.entry(kind.to_owned()).or_default() += 1;
        let clean = redact::redact_noting(text, &mut note);
        redact_beyond_secrets(clean, &mut note).into_owned()
    }

    /// The value as JSON on one line, redacted, also by the names of its fields.
    pub fn redact_json(&mut self, mut value: Value) -> String {
        let mut note = |kind: &str| *self.counts.entry(kind.to_owned()).or_default() += 1;
        redact::mask_in_place(&mut value, &mut note);
        without_personal(value, &mut note).to_string()
    }

    /// How many passages were removed so far, by kind.
    pub fn counts(self) -> BTreeMap<String, u64> {
        self.counts
    }
}

/// Removes what only samples must not contain: personal data, and special tokens of chat templates.
fn redact_beyond_secrets<'a>(text: Cow<'a, str>, note: Note<'_>) -> Cow<'a, str> {
    let text = match personal::redact_personal(&text, note) {
        Cow::Owned(clean) => Cow::Owned(clean),
        Cow::Borrowed(_) => text,
    };
    match special_tokens::break_special_tokens(&text, note) {
        Cow::Owned(harmless) => Cow::Owned(harmless),
        Cow::Borrowed(_) => text,
    }
}

/// Redacts each text before it is escaped: field names and values.
fn without_personal(value: Value, note: Note<'_>) -> Value {
    match value {
        Value::String(text) => Value::String(redact_beyond_secrets(Cow::Owned(text), note).into_owned()),
        Value::Array(values) => values.into_iter().map(|value| without_personal(value, note)).collect(),
        Value::Object(fields) => {
            let clean = |(name, value): (String, Value)| {
                (redact_beyond_secrets(Cow::Owned(name), note).into_owned(), without_personal(value, note))
            };
            Value::Object(fields.into_iter().map(clean).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
