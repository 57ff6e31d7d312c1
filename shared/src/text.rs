//! Rules of short texts that people write.

use std::ops::RangeInclusive;

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
