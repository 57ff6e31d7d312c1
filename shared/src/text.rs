//! Rules of short texts that people write, and what is kept of the texts of agents.

use std::ops::RangeInclusive;

use serde_json::Value;

/// One printable line of so many characters. It is kept as it was sent, so blanks at its ends are refused, not cut.
pub fn line(text: String, length: RangeInclusive<usize>) -> Result<String, String> {
    if !length.contains(&text.chars().count()) {
        return Err(format!("must have {} to {} characters", length.start(), length.end()));
    }
    if text.chars().any(is_unprintable) {
        return Err("must be printable, on one line".to_owned());
    }
    if text.trim() != text {
        return Err("must not begin or end with a blank".to_owned());
    }
    Ok(text)
}

/// Control characters, line separators, and what turns the direction of the text around it or cannot be seen.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Agents may print anything; Postgres keeps no NUL.
pub fn of_no_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// The same of every text in a value.
pub fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(of_no_nul(text)),
        Value::Array(values) => values.into_iter().map(without_nul).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (of_no_nul(key), without_nul(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_an_agent_prints_carries_a_nul_into_what_is_kept() {
        let clean = without_nul(json!({"a\0": ["x\0y", {"b": "\0"}], "n": 1}));
        assert_eq!(clean, json!({"a\u{fffd}": ["x\u{fffd}y", {"b": "\u{fffd}"}], "n": 1}));
    }
}
