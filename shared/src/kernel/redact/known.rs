//! Redaction by value: of secrets whose values are known, whatever form they have.

use serde_json::Value;

use super::MASK;

/// The shortest value that is searched for, in bytes. A shorter one would hide ordinary words, and protects nothing.
const SHORTEST: usize = 6;

/// The values of secrets that a text must not hold. They are never shown, so there is no `Debug` of them.
#[derive(Clone, Default)]
pub struct KnownSecrets {
    /// Longest first, so that a value which contains another is replaced as a whole.
    passages: Vec<String>,
}

impl std::fmt::Debug for KnownSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KnownSecrets({})", self.passages.len())
    }
}

impl KnownSecrets {
    /// Each value counts as a whole, and each of its lines on its own: a key of several lines is often shown in parts.
    pub fn of_values<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let lines = |value: &'a str| [value.trim()].into_iter().chain(value.lines().map(str::trim));
        let mut passages: Vec<String> =
            values.into_iter().flat_map(lines).filter(|line| line.len() >= SHORTEST).map(str::to_owned).collect();
        passages.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        passages.dedup();
        Self { passages }
    }

    pub fn is_empty(&self) -> bool {
        self.passages.is_empty()
    }

    /// Replaces every value in a text.
    pub fn mask_text(&self, text: &mut String) {
        for passage in self.passages.iter().filter(|passage| passage.len() <= text.len()).collect::<Vec<_>>() {
            if text.contains(passage.as_str()) {
                *text = text.replace(passage.as_str(), MASK);
            }
        }
    }

    /// Replaces every value in the texts and the names of JSON.
    pub fn mask_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.mask_text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.mask_json(value)),
            Value::Object(fields) => {
                let masked = std::mem::take(fields).into_iter().map(|(mut name, mut value)| {
                    self.mask_text(&mut name);
                    self.mask_json(&mut value);
                    (name, value)
                });
                *fields = masked.collect();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn masked(values: &[&str], text: &str) -> String {
        let mut text = text.to_owned();
        KnownSecrets::of_values(values.iter().copied()).mask_text(&mut text);
        text
    }

    #[test]
    fn a_known_value_is_masked_wherever_it_stands() {
        assert_eq!(masked(&["correct horse"], "x=correct horse;correct horses"), "x=[redacted];[redacted]s");
        assert_eq!(masked(&["abcdef", "abcdef123"], "abcdef123 abcdef"), "[redacted] [redacted]");
        assert_eq!(masked(&["abc"], "abc"), "abc", "too short to be searched for");
    }

    #[test]
    fn a_value_of_several_lines_is_masked_line_by_line() {
        let key = "-----BEGIN KEY-----\nbGluZSBvbmU=\nbGluZSB0d28=\n-----END KEY-----\n";
        assert_eq!(masked(&[key], "see bGluZSB0d28= there"), "see [redacted] there");
        assert_eq!(masked(&[key], &format!("{}!", key.trim())), "[redacted]!");
    }

    #[test]
    fn known_values_in_json_are_masked_in_texts_and_names() {
        let mut value = json!({"a hidden word": ["hidden word", {"n": 1}]});
        KnownSecrets::of_values(["hidden word"]).mask_json(&mut value);
        assert_eq!(value, json!({"a [redacted]": ["[redacted]", {"n": 1}]}));
    }

    #[test]
    fn known_secrets_show_only_their_number() {
        assert_eq!(format!("{:?}", KnownSecrets::of_values(["hidden word"])), "KnownSecrets(1)");
    }
}
