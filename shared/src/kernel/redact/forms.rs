//! Secrets that are more than a prefix and a rest: private keys, credentials of headers, tokens of Telegram, and
//! passwords in URLs.

use std::ops::Range;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use super::{
    class::{Class, Runs},
    mask::MASK,
    view::View,
};

/// The longest private key, in bytes.
const MAX_PRIVATE_KEY: usize = 32 << 10;

const KEY_BEGIN: &[u8] = b"-----BEGIN ";
const KEY_END: &[u8] = b"-----END ";

/// The positions where keys begin and end in a view, read once.
pub(super) struct KeyMarks {
    begins: Vec<usize>,
    ends: Vec<usize>,
}

impl KeyMarks {
    pub(super) fn new(view: &View<'_>) -> Self {
        Self { begins: find_all(&view.bytes, KEY_BEGIN), ends: find_all(&view.bytes, KEY_END) }
    }

    /// The end of the key whose body begins here, unless another key begins before it.
    fn end_after(&self, body: usize) -> Option<usize> {
        let next_after = |marks: &[usize]| marks.get(marks.partition_point(|at| *at < body)).copied();
        let end = next_after(&self.ends)?;
        (end - body <= MAX_PRIVATE_KEY && next_after(&self.begins).is_none_or(|begin| begin > end)).then_some(end)
    }
}

fn find_all(bytes: &[u8], mark: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|at| bytes[*at] == mark[0] && bytes[*at..].starts_with(mark)).collect()
}

/// The end of the private key that begins here. A key whose end is missing ends with its last line of base64.
pub(super) fn private_key_at(view: &View<'_>, marks: &KeyMarks, at: usize) -> Option<usize> {
    let bytes = &view.bytes;
    if !bytes[at..].starts_with(KEY_BEGIN) {
        return None;
    }
    let body = key_label_end(bytes, at + KEY_BEGIN.len())?;
    let end = marks.end_after(body).and_then(|end| key_label_end(bytes, end + KEY_END.len()));
    Some(end.unwrap_or_else(|| unfinished_key_end(bytes, body)))
}

/// The end of `RSA PRIVATE KEY-----`.
fn key_label_end(bytes: &[u8], at: usize) -> Option<usize> {
    let label = bytes[at..].iter().take(64).take_while(|byte| byte.is_ascii_uppercase() || **byte == b' ').count();
    let text = &bytes[at..at + label];
    let is_private = text.ends_with(b"PRIVATE KEY") || text.ends_with(b"PRIVATE KEY BLOCK");
    (is_private && bytes[at + label..].starts_with(b"-----")).then_some(at + label + 5)
}

/// Lines of at least 16 characters of base64, and a shorter one at the end.
fn unfinished_key_end(bytes: &[u8], body: usize) -> usize {
    let mut end = body;
    let mut at = body;
    loop {
        at += bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b'\\').count();
        // The `n` of an escaped line end, in the view where it is not decoded.
        if at > body && bytes[at - 1] == b'\\' && matches!(bytes.get(at), Some(b'n' | b'r')) {
            at += 1;
            continue;
        }
        let length = bytes[at..].iter().take_while(|byte| Class::Base64.contains(**byte) || **byte == b'=').count();
        if length < 16 {
            let is_last = length > 0 && end > body;
            return if is_last && !bytes.get(at + length).is_some_and(u8::is_ascii_alphabetic) {
                at + length
            } else {
                end
            };
        }
        at += length;
        end = at;
    }
}

/// A credential after `Bearer` or `Basic`, with that word.
pub(super) fn authorization_at(view: &View<'_>, runs: &Runs<'_>, at: usize) -> Option<usize> {
    let bytes = &view.bytes;
    let scheme = ["bearer", "basic"]
        .into_iter()
        .find(|word| bytes.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes())))?;
    let after = at + scheme.len();
    let blanks = bytes[after..].iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    if blanks == 0 || !view.begins_token(at) {
        return None;
    }
    let start = after + blanks;
    let length = runs.length_at(Class::Credential, start);
    let is_secret = length >= 16 || scheme == "basic" && is_user_and_password(&bytes[start..start + length]);
    let padding = bytes[start + length..].iter().take(2).take_while(|byte| **byte == b'=').count();
    is_secret.then_some(start + length + padding)
}

/// Whether this is `user:password` in base64.
fn is_user_and_password(encoded: &[u8]) -> bool {
    let decoded = STANDARD_NO_PAD.decode(encoded).ok().and_then(|decoded| String::from_utf8(decoded).ok());
    decoded.is_some_and(|text| text.contains(':') && !text.chars().any(char::is_control))
}

/// A token of Telegram around the colon that stands here.
pub(super) fn telegram_token_at(view: &View<'_>, runs: &Runs<'_>, colon: usize) -> Option<Range<usize>> {
    let bytes = &view.bytes;
    if !bytes[colon..].starts_with(b":AA") || runs.length_at(Class::UrlSafe, colon + 3) < 33 {
        return None;
    }
    let digits = bytes[..colon].iter().rev().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    let start = colon - digits;
    let is_token = (8..=10).contains(&digits) && view.begins_token(start);
    is_token.then(|| start..colon + 3 + runs.length_at(Class::UrlSafe, colon + 3))
}

/// The password in a URL whose `://` stands here.
pub(super) fn url_password_at(view: &View<'_>, runs: &Runs<'_>, at: usize) -> Option<Range<usize>> {
    let bytes = &view.bytes;
    if !bytes[at..].starts_with(b"://") || at == 0 || !bytes[at - 1].is_ascii_alphanumeric() {
        return None;
    }
    let user = at + 3;
    let colon = user + runs.length_at(Class::UrlUser, user);
    if bytes.get(colon) != Some(&b':') {
        return None;
    }
    let password = colon + 1;
    let end = password + runs.length_at(Class::UrlUser, password);
    let is_new = &bytes[password..end] != MASK.as_bytes();
    (bytes.get(end) == Some(&b'@') && end > password && is_new).then_some(password..end)
}
