//! Secrets taken out of what is kept or shown: by the name of a field, and by the look of a text.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

/// What stands in the place of a secret.
pub const MASK: &str = "[redacted]";

/// Names of fields whose value is a secret, whatever it looks like.
static NAMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i-u)(^|[_.-])(password|passwd|secret|token|api_?key|private_?key|authorization|credential|cookie)s?$",
    )
    .expect("a pattern")
});

/// Texts that are secrets by their look.
static LOOKS: LazyLock<Regex> = LazyLock::new(|| {
    let looks = [
        r"\bioca?_[a-z0-9]{1,16}_[0-9a-f]{32}_[0-9a-f]{64}\b",
        r"\bsk-[A-Za-z0-9_-]{16,}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{20,}\b",
        r"\bgithub_pat_[A-Za-z0-9_]{20,}\b",
        r"\bglpat-[A-Za-z0-9_-]{16,}\b",
        r"\bxox[abposr]-[A-Za-z0-9-]{10,}\b",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_-]{30,}\b",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{16,})*(?:\s|\\[nr])*[A-Za-z0-9+/=]*(?:\s|\\[nr])*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
        r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{12,}",
    ];
    Regex::new(&format!("(?-u){}", looks.join("|"))).expect("patterns")
});

/// The text without what looks like a secret.
pub fn text(text: &str) -> Cow<'_, str> {
    LOOKS.replace_all(text, MASK)
}

/// The value without secrets: by the names of its fields, and by the look of its texts.
pub fn masked(mut value: Value) -> Value {
    mask(&mut value);
    value
}

fn mask(value: &mut Value) {
    match value {
        Value::String(found) => {
            if let Cow::Owned(clean) = text(found) {
                *found = clean;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if NAMES.is_match(name) && (value.is_string() || value.is_object() || value.is_array()) {
                    *value = Value::String(MASK.to_owned());
                } else {
                    mask(value);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_by_the_name_of_their_field_and_by_their_look() {
        let value = json!({"api_key": "plain", "note": "use sk-abcdefghijklmnop1234 here", "max_tokens": 5, "n": ["AKIAABCDEFGHIJKLMNOP"]});
        let clean = masked(value);
        assert_eq!(clean, json!({"api_key": MASK, "note": format!("use {MASK} here"), "max_tokens": 5, "n": [MASK]}));
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        let value = json!({"title": "Rotate the token of the build", "tags": ["secret-santa"], "tokens_input": 12});
        assert_eq!(masked(value.clone()), value);
    }
}
