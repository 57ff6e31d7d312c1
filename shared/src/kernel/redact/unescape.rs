//! The text behind escapes: of strings in JSON, shells and programming languages, of URLs, and of HTML.
//!
//! Escapes that were escaped themselves, however often, are decoded at once, so that few passes suffice.

use std::ops::Range;

use super::view::{View, ViewBuilder};

/// A character that an escape stands for, and the length of the escape in bytes.
type Decoded = (Symbol, usize);

enum Symbol {
    Char(char),
    /// A byte of a URL, which may be a part of a character.
    Byte(u8),
}

/// The view with its escapes decoded; `None` if it has none.
pub(super) fn unescaped_view<'b>(view: &View<'_>) -> Option<View<'b>> {
    let bytes = &view.bytes;
    let first = (0..bytes.len()).find(|at| escape_at(bytes, *at).is_some())?;
    let mut built = ViewBuilder::new(view);
    built.copy_bytes(0..first);
    let mut at = first;
    while at < bytes.len() {
        let Some((symbol, length)) = escape_at(bytes, at) else {
            // The rest of a run of backslashes is not examined again.
            let width = backslashes(bytes, at).max(1);
            built.copy_bytes(at..at + width);
            at += width;
            continue;
        };
        let span: Range<usize> = at..at + length;
        match symbol {
            Symbol::Char(c) => built.push_char(c, &span),
            Symbol::Byte(byte) => built.push_byte(byte, span),
        }
        at += length;
    }
    Some(built.build())
}

fn escape_at(bytes: &[u8], at: usize) -> Option<Decoded> {
    match bytes[at] {
        // Only the first backslash of a run begins an escape.
        b'\\' if at == 0 || bytes[at - 1] != b'\\' => backslash_escape(bytes, at),
        b'%' => url_escape(&bytes[at..]),
        b'&' => html_entity(&bytes[at..]),
        _ => None,
    }
}

fn backslashes(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().take_while(|byte| **byte == b'\\').count()
}

/// An escape after one or more backslashes: each level of nesting doubles their number.
fn backslash_escape(bytes: &[u8], at: usize) -> Option<Decoded> {
    let run = backslashes(bytes, at);
    let rest = bytes.get(at + run..)?;
    let (c, length) = match rest.first()? {
        b'n' => ('\n', 1),
        b'r' => ('\r', 1),
        b't' => ('\t', 1),
        b'b' => ('\u{8}', 1),
        b'f' => ('\u{c}', 1),
        b'v' => ('\u{b}', 1),
        b'a' => ('\u{7}', 1),
        b'e' | b'E' => ('\u{1b}', 1),
        b'x' => (digits_at(rest, 1, 2, 16)?, 3),
        b'u' if rest.get(1) == Some(&b'{') => braced_digits(rest)?,
        b'u' => (digits_at(rest, 1, 4, 16)?, 5),
        b'U' => (digits_at(rest, 1, 8, 16)?, 9),
        b'0' | b'1' => octal_digits(rest),
        punctuation if punctuation.is_ascii_punctuation() => (char::from(*punctuation), 1),
        _ => return None,
    };
    Some((Symbol::Char(c), run + length))
}

/// The character of exactly this many digits. Half of a surrogate pair is a replacement character.
fn digits_at(bytes: &[u8], at: usize, count: usize, radix: u32) -> Option<char> {
    let value = parse_digits(bytes.get(at..at + count)?, radix)?;
    Some(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER))
}

fn parse_digits(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u32, |value, digit| value.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?))
}

/// `u{1b}`.
fn braced_digits(bytes: &[u8]) -> Option<(char, usize)> {
    let end = bytes.iter().take(10).position(|byte| *byte == b'}')?;
    Some((char::from_u32(parse_digits(&bytes[2..end], 16)?)?, end + 1))
}

/// `0`, `033`.
fn octal_digits(bytes: &[u8]) -> (char, usize) {
    let length = bytes.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let value = parse_digits(&bytes[..length], 8).and_then(char::from_u32);
    (value.unwrap_or(char::REPLACEMENT_CHARACTER), length)
}

/// `%3D`, and `%253D`, which was encoded twice.
fn url_escape(bytes: &[u8]) -> Option<Decoded> {
    let again = bytes[1..].chunks_exact(2).take_while(|pair| **pair == *b"25").count();
    // `%25` itself is a percent sign.
    [again, again.saturating_sub(1)].into_iter().find_map(|again| {
        let at = 1 + 2 * again;
        let value = parse_digits(bytes.get(at..at + 2)?, 16)?;
        Some((Symbol::Byte(u8::try_from(value).ok()?), at + 2))
    })
}

/// Named characters that occur in or around secrets.
const ENTITIES: [(&str, char); 22] = [
    ("quot;", '"'),
    ("apos;", '\''),
    ("amp;", '&'),
    ("lt;", '<'),
    ("gt;", '>'),
    ("nbsp;", ' '),
    ("colon;", ':'),
    ("equals;", '='),
    ("lowbar;", '_'),
    ("UnderBar;", '_'),
    ("period;", '.'),
    ("sol;", '/'),
    ("plus;", '+'),
    ("commat;", '@'),
    ("hyphen;", '-'),
    ("dash;", '-'),
    ("num;", '#'),
    ("shy;", '\u{ad}'),
    ("zwj;", '\u{200d}'),
    ("zwnj;", '\u{200c}'),
    ("ZeroWidthSpace;", '\u{200b}'),
    ("NewLine;", '\n'),
];

/// `&quot;`, `&#34;`, `&#x22;`, and `&amp;quot;`, which was encoded twice.
fn html_entity(bytes: &[u8]) -> Option<Decoded> {
    let again = bytes[1..].chunks_exact(4).take_while(|part| **part == *b"amp;").count();
    [again, again.saturating_sub(1)].into_iter().find_map(|again| {
        let at = 1 + 4 * again;
        let rest = bytes.get(at..)?;
        let (c, length) = if rest.first() == Some(&b'#') { numbered_entity(rest)? } else { named_entity(rest)? };
        Some((Symbol::Char(c), at + length))
    })
}

fn named_entity(bytes: &[u8]) -> Option<(char, usize)> {
    ENTITIES.iter().find(|(name, _)| bytes.starts_with(name.as_bytes())).map(|(name, c)| (*c, name.len()))
}

fn numbered_entity(bytes: &[u8]) -> Option<(char, usize)> {
    let end = bytes.iter().take(12).position(|byte| *byte == b';')?;
    let digits = &bytes[1..end];
    let value = match digits.first()? {
        b'x' | b'X' => parse_digits(&digits[1..], 16)?,
        _ => parse_digits(digits, 10)?,
    };
    Some((char::from_u32(value)?, end + 1))
}
