//! Rules for short texts of people, and cleaning of texts of agents.

use std::{fmt::Write as _, ops::RangeInclusive};

use serde_json::Value;

/// Accepts one printable line of a given length. The text is kept unchanged, so blanks at its ends are refused, not
/// trimmed.
pub fn parse_line(text: String, length: RangeInclusive<usize>) -> Result<String, String> {
    if !length.contains(&text.chars().count()) {
        return Err(format!("must have {} to {} characters", length.start(), length.end()));
    }
    if text.chars().any(is_misleading) {
        return Err("must be printable, on one line".to_owned());
    }
    if text.trim() != text {
        return Err("must not begin or end with a blank".to_owned());
    }
    Ok(text)
}

/// Control characters, line separators, invisible characters, and those that change the direction of text.
pub fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_invisible(c)
}

/// Characters that show nothing, or only change how others are shown: format characters (with those that change the
/// direction of text), fillers, variation selectors and tags. Control characters are not among them.
pub const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether a character of a title or a name may mislead a reader. Emoji and scripts need some invisible characters:
/// those that join, and variation selectors.
pub fn is_misleading(c: char) -> bool {
    is_unprintable(c) && !matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The name of a file in a form that shows every character: those that nobody sees, or that change the direction of
/// text, are spelled out, such as `<U+202E>`.
pub fn to_visible_name(name: String) -> String {
    if !name.chars().any(is_misleading) {
        return name;
    }
    let mut visible = String::with_capacity(name.len() + 16);
    for c in name.chars() {
        if is_misleading(c) {
            let _ = write!(visible, "<U+{:04X}>", u32::from(c));
        } else {
            visible.push(c);
        }
    }
    visible
}

/// Whether a part of a path is the folder of git, as any platform reads the name.
pub fn is_git_folder(part: &str) -> bool {
    let plain: String = part.chars().filter(|c| !is_invisible(*c)).collect();
    let plain = plain.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    matches!(plain.as_str(), ".git" | "git~1")
}

/// Escapes the characters in JSON at which some readers end a line, although JSON allows them: U+0085, U+2028 and
/// U+2029. They occur only within strings.
pub fn escape_line_ends(json: String) -> String {
    if !json.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        return json;
    }
    json.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// Replaces NUL characters, which agents may print and Postgres cannot store.
pub fn of_no_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Replaces NUL characters in every text of a value.
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
    fn a_name_shows_every_character_and_two_names_stay_apart() {
        assert_eq!(to_visible_name("a\u{202e}txt.exe".to_owned()), "a<U+202E>txt.exe");
        assert_ne!(to_visible_name("a\u{200b}".to_owned()), to_visible_name("a\u{2060}".to_owned()));
        assert_eq!(to_visible_name("résumé 👩\u{200d}💻.md".to_owned()), "résumé 👩\u{200d}💻.md");
        for git in [".git", ".GIT", ".git.", ".git ", "git~1", ".g\u{200c}it"] {
            assert!(is_git_folder(git), "{git:?}");
        }
        assert!(!is_git_folder(".github") && !is_git_folder(".gitignore") && !is_git_folder("git"));
    }

    #[test]
    fn escaped_line_ends_are_the_same_json() {
        let value = json!({"a\u{2028}": "b\u{2029}c\u{85}d\n"});
        let line = escape_line_ends(value.to_string());
        assert_eq!(line, "{\"a\\u2028\":\"b\\u2029c\\u0085d\\n\"}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }

    #[test]
    fn nothing_that_an_agent_prints_carries_a_nul_into_what_is_kept() {
        let clean = without_nul(json!({"a\0": ["x\0y", {"b": "\0"}], "n": 1}));
        assert_eq!(clean, json!({"a\u{fffd}": ["x\u{fffd}y", {"b": "\u{fffd}"}], "n": 1}));
    }
}
