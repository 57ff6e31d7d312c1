//! Values that a text names as secrets: assignments, fields, options, headers and elements.

use std::ops::Range;

use super::{
    class::{Class, Runs},
    mask::MASK,
    names::{MAX_NAME, SecretName, secret_name},
    view::View,
};

/// The most blanks between a name, its separator and its value.
const MAX_BLANKS: usize = 16;
/// The longest value, in bytes.
const MAX_VALUE: usize = 4096;

/// A name before a separator, and how they are written.
struct Declaration {
    name: SecretName,
    /// `"name":`, as in JSON.
    is_quoted: bool,
    /// `NAME=value`, as in an environment, or `--name=value` or `?name=value`: the value is meant literally.
    is_literal: bool,
    /// `password=value` between blanks or semicolons, as in the address of a database.
    is_parameter: bool,
}

/// The secret value after the separator that stands here, if the name before it names a secret.
pub(super) fn declared_value_at(view: &View<'_>, runs: &Runs<'_>, at: usize) -> Option<Range<usize>> {
    let bytes = &view.bytes;
    match bytes[at] {
        b'=' if matches!(bytes.get(at + 1), Some(b'=' | b'~'))
            || at > 0 && matches!(bytes[at - 1], b'=' | b'!' | b'<' | b'>') =>
        {
            None
        }
        b'=' => {
            let walrus = usize::from(at > 0 && bytes[at - 1] == b':');
            let arrow = usize::from(bytes.get(at + 1) == Some(&b'>'));
            let declaration = declaration_before(bytes, at - walrus, walrus + arrow == 0)?;
            value_after(bytes, runs, at + 1 + arrow, &declaration)
        }
        b':' if matches!(bytes.get(at + 1), Some(b':' | b'=')) || at > 0 && bytes[at - 1] == b':' => None,
        b':' => {
            let declaration = declaration_before(bytes, at, false)?;
            match declaration.name {
                SecretName::Authorization => credential_after(bytes, runs, at + 1),
                SecretName::Cookie if !declaration.is_quoted => cookie_after(bytes, runs, at + 1),
                _ => value_after(bytes, runs, at + 1, &declaration),
            }
        }
        b'>' => element_content(bytes, at),
        _ => None,
    }
}

/// The value after an option such as `--password`, which begins here.
pub(super) fn option_value_at(view: &View<'_>, runs: &Runs<'_>, at: usize) -> Option<Range<usize>> {
    let bytes = &view.bytes;
    if !bytes[at..].starts_with(b"--") || at > 0 && !is_word_end(bytes[at - 1]) {
        return None;
    }
    let name_end = at + 2 + name_length(&bytes[at + 2..]);
    let name = secret_name(&bytes[at + 2..name_end]).filter(|name| *name != SecretName::Tokens)?;
    let blanks = bytes[name_end..].iter().take(MAX_BLANKS).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if blanks == 0 {
        return None;
    }
    let value = literal_at(bytes, runs, name_end + blanks)?;
    let text = &bytes[value.clone()];
    let is_prose = PROSE.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    (!is_prose && text[0] != b'-' && is_literal_secret(text, name)).then_some(value)
}

/// Words that follow the name of an option in a sentence.
const PROSE: [&str; 33] = [
    "to", "is", "or", "and", "for", "with", "in", "if", "the", "a", "an", "flag", "option", "options", "must", "can",
    "was", "instead", "from", "argument", "value", "requires", "required", "when", "on", "as", "of", "are", "at", "by",
    "has", "which", "that",
];

fn is_word_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'(' | b'[' | b',')
}

fn name_length(bytes: &[u8]) -> usize {
    bytes.iter().take(MAX_NAME).take_while(|byte| is_name_byte(**byte)).count()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The declaration whose separator stands here.
fn declaration_before(bytes: &[u8], separator: usize, is_plain: bool) -> Option<Declaration> {
    let blanks = bytes[..separator].iter().rev().take(MAX_BLANKS).take_while(|byte| byte.is_ascii_whitespace()).count();
    let mut end = separator - blanks;
    let quotes = bytes[..end].iter().rev().take(8).take_while(|byte| is_quote(**byte)).count();
    end -= quotes;
    let length = bytes[..end].iter().rev().take(MAX_NAME).take_while(|byte| is_name_byte(**byte)).count();
    let whole = &bytes[end - length..end];
    let name = secret_name(whole)?;
    let before = (end - length).checked_sub(1).map(|before| bytes[before]);
    let is_tight = is_plain && blanks == 0 && quotes == 0;
    let is_option = whole.starts_with(b"--");
    let is_query = matches!(before, Some(b'?' | b'&'));
    let is_variable = !whole.iter().any(u8::is_ascii_lowercase);
    let is_literal = is_tight && (is_option || is_query || is_variable);
    let is_between = matches!(before, None | Some(b' ' | b'\n' | b'\t' | b';' | b'"' | b'\''));
    let is_parameter = is_tight && is_between && name == SecretName::Password;
    Some(Declaration { name, is_quoted: quotes > 0, is_literal, is_parameter })
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b'\\')
}

fn value_after(bytes: &[u8], runs: &Runs<'_>, at: usize, declaration: &Declaration) -> Option<Range<usize>> {
    let start = at + bytes[at..].iter().take(MAX_BLANKS).take_while(|byte| byte.is_ascii_whitespace()).count();
    if let Some(value) = quoted_value(bytes, start) {
        let text = &bytes[value.clone()];
        return is_quoted_secret(text, declaration).then_some(value);
    }
    if (declaration.is_literal || declaration.is_parameter) && start == at {
        let value = literal_at(bytes, runs, start)?;
        let follows = bytes.get(value.end);
        // The arguments of a function are code.
        let is_call = follows == Some(&b'(') || !declaration.is_literal && matches!(follows, Some(b')' | b','));
        if !is_call && is_literal_secret(&bytes[value.clone()], declaration.name) {
            return Some(value);
        }
    }
    let value = plain_value(bytes, start);
    let is_code = matches!(bytes.get(value.end), Some(b'(' | b'[' | b'{'))
        || bytes[value.end..].starts_with(b"::")
        || bytes[value.clone()].starts_with(b"$");
    (!is_code && is_plain_secret(&bytes[value.clone()], declaration.name)).then_some(value)
}

/// The text between the quotes that begin here. Quotes within a quoted text have backslashes before them.
fn quoted_value(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    // `b"..."`, `r'...'`.
    let prefix = usize::from(bytes.get(at)?.is_ascii_alphabetic() && matches!(bytes.get(at + 1), Some(b'"' | b'\'')));
    let at = at + prefix;
    let slashes = bytes[at..].iter().take(8).take_while(|byte| **byte == b'\\').count();
    let quote = bytes.get(at + slashes).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    let start = at + slashes + 1;
    let mut escapes = 0;
    for (length, byte) in bytes[start..].iter().take(MAX_VALUE).enumerate() {
        match *byte {
            b'\\' => escapes += 1,
            b'\n' => return None,
            byte if byte == quote && (escapes <= slashes || slashes == 0 && escapes % 2 == 0) => {
                return Some(start..start + length - escapes.min(slashes));
            }
            _ => escapes = 0,
        }
    }
    None
}

/// The characters of a value without quotes.
fn plain_value(bytes: &[u8], start: usize) -> Range<usize> {
    let is_value = |byte: u8| byte.is_ascii_alphanumeric() || b"+/_.~!@#$%^&*-".contains(&byte);
    let mut end = start + bytes[start..].iter().take_while(|byte| is_value(**byte)).count();
    // The next parameter of a URL.
    if bytes.get(end) == Some(&b'=')
        && let Some(parameter) = bytes[start..end].iter().rposition(|byte| *byte == b'&')
    {
        end = start + parameter;
    }
    let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
    start..end + padding
}

/// A word of a command line or a URL, or the text in its quotes.
pub(super) fn literal_at(bytes: &[u8], runs: &Runs<'_>, start: usize) -> Option<Range<usize>> {
    if let Some(value) = quoted_value(bytes, start) {
        return Some(value).filter(|value| !value.is_empty());
    }
    let length = runs.length_at(Class::Literal, start).min(MAX_VALUE);
    (length > 0).then(|| start..start + length)
}

/// Whether a text stands for a value that is elsewhere, or for none.
pub(super) fn is_placeholder(text: &[u8]) -> bool {
    const WORDS: [&str; 12] = [
        "null",
        "none",
        "nil",
        "true",
        "false",
        "undefined",
        "string",
        "str",
        "text",
        "required",
        "optional",
        "redacted",
    ];
    let is_variable = text.starts_with(b"$")
        && text[1..].first().is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'{' | b'(' | b'_'));
    is_variable
        || text.is_empty()
        || text == MASK.as_bytes()
        || matches!(text[0], b'<' | b'[' | b'{')
        || text.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-'))
        || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
}

fn is_path(text: &[u8]) -> bool {
    matches!(text[0], b'/' | b'~' | b'.') || text[1..].starts_with(b":\\") || text[1..].starts_with(b":/")
}

/// `process.env.TOKEN`: names of code that lead to the value.
fn is_reference(text: &[u8]) -> bool {
    let is_name = |part: &[u8]| !part.is_empty() && part.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    text.len() <= MAX_NAME && text.contains(&b'.') && text.split(|byte| *byte == b'.').all(is_name)
}

fn is_numeric(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse_ascii(text).is_ok()
}

/// Whether a value looks random: it mixes letters and digits and is not a hyphenated UUID.
fn is_random(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit) && text.iter().any(u8::is_ascii_alphabetic) && !is_uuid(text)
}

/// Whether the text of a field with this name is a secret, in JSON or in a string that was parsed as JSON.
pub(super) fn is_field_secret(text: &str, name: SecretName) -> bool {
    let bytes = text.as_bytes();
    match name {
        _ if bytes.is_empty() => true,
        SecretName::Short => !is_path(bytes),
        SecretName::Token | SecretName::Tokens => !is_numeric(bytes) || bytes.len() > 12,
        _ => true,
    }
}

fn is_quoted_secret(text: &[u8], declaration: &Declaration) -> bool {
    if is_placeholder(text) {
        return false;
    }
    let is_field = std::str::from_utf8(text).is_ok_and(|text| is_field_secret(text, declaration.name));
    if declaration.is_quoted || declaration.is_literal {
        return is_field;
    }
    let is_one_word = !text.iter().any(u8::is_ascii_whitespace);
    let least = if declaration.name == SecretName::Password { 4 } else { 8 };
    let is_symbol = text.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.'));
    let is_word = is_symbol && declaration.name != SecretName::Password;
    is_field && is_one_word && text.len() >= least && !is_word && secret_name(text).is_none() && !is_uuid(text)
}

fn is_literal_secret(text: &[u8], name: SecretName) -> bool {
    let is_number_of_tokens = is_numeric(text) && matches!(name, SecretName::Token | SecretName::Tokens);
    let is_other = name == SecretName::Short && (text.len() < 6 && is_numeric(text) || is_path(text));
    text.len() >= 3 && !is_placeholder(text) && !is_reference(text) && !is_number_of_tokens && !is_other
}

/// Whether a value is a secret that may as well be a word of code or prose.
fn is_plain_secret(text: &[u8], name: SecretName) -> bool {
    let least = match name {
        SecretName::Password => 6,
        SecretName::Short => 8,
        _ => 12,
    };
    if text.len() < least || is_placeholder(text) || name == SecretName::Short && is_path(text) {
        return false;
    }
    let is_password = name == SecretName::Password;
    let has_symbol = text[1..].iter().any(|byte| b"!@#$%^&*+~".contains(byte));
    is_random(text) || is_password && (is_numeric(text) || has_symbol)
}

/// The credential of a header `Authorization`, after its scheme.
fn credential_after(bytes: &[u8], runs: &Runs<'_>, at: usize) -> Option<Range<usize>> {
    const SCHEMES: [&str; 8] = ["bearer", "basic", "token", "digest", "apikey", "negotiate", "key", "bot"];
    let start = at + bytes[at..].iter().take(MAX_BLANKS).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let quotes = bytes[start..].iter().take(8).take_while(|byte| is_quote(**byte)).count();
    let value = header_value(bytes, runs, start + quotes);
    if is_placeholder(&bytes[value.clone()]) {
        return None;
    }
    let blank = value.start + runs.length_at(Class::NoBlank, value.start);
    if blank >= value.end {
        return (value.len() >= 8).then_some(value);
    }
    let scheme = &bytes[value.start..blank];
    let is_scheme = SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known.as_bytes()));
    let credential = blank + 1..value.end;
    let is_one_word = runs.length_at(Class::NoBlank, credential.start) >= credential.len();
    let text = &bytes[credential.clone()];
    (is_scheme && is_one_word && text.len() >= 4 && !is_placeholder(text)).then_some(credential)
}

/// The cookies of a header `Cookie` or `Set-Cookie`.
fn cookie_after(bytes: &[u8], runs: &Runs<'_>, at: usize) -> Option<Range<usize>> {
    let start = at + bytes[at..].iter().take(MAX_BLANKS).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let value = header_value(bytes, runs, start);
    (start + runs.length_at(Class::NoEquals, start) < value.end).then_some(value)
}

fn header_value(bytes: &[u8], runs: &Runs<'_>, start: usize) -> Range<usize> {
    let length = runs.length_at(Class::HeaderValue, start).min(MAX_VALUE);
    start..start + bytes[start..start + length].trim_ascii_end().len()
}

/// The content of an element such as `<password>`, whose `>` stands here.
fn element_content(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let length = bytes[..at].iter().rev().take(MAX_NAME).take_while(|byte| is_name_byte(**byte)).count();
    if length == 0 || length == at || bytes[at - length - 1] != b'<' {
        return None;
    }
    let name = secret_name(&bytes[at - length..at])?;
    let is_end = |byte: u8| matches!(byte, b'<' | b'\n');
    let content = bytes[at + 1..].iter().take(MAX_VALUE).take_while(|byte| !is_end(**byte)).count();
    let value = at + 1..at + 1 + content;
    let is_closed = bytes[value.end..].starts_with(b"</");
    (is_closed && is_literal_secret(&bytes[value.clone()], name)).then_some(value)
}
