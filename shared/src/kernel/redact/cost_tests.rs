//! Claims about the cost of redaction: whatever a text contains, it is in proportion to its length.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::*;
use crate::kernel::cost::assert_linear;

/// Pieces of secrets, disguises and declarations that make a search begin.
const PIECES: [&str; 64] = [
    "-eyJ-AKIABBBBBBBBBBBBBBBB",
    "-eyJ",
    "eyJaaaaaaaa.",
    "-sk-",
    "_ghp_",
    "1:AA",
    "://a:",
    "://",
    "@",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "\n",
    "\\n",
    "\\",
    "\\\\\"",
    "\"",
    "'",
    "`",
    "=",
    ":",
    "=>",
    "token=",
    "TOKEN=$a",
    "TOKEN=a",
    "?token=a&",
    "password: ",
    "password=\"",
    "\"password\":\"",
    "cookie:",
    "cookie: a=b;",
    "authorization:[",
    "authorization:",
    "bearer ",
    "Bearer aaaaaaaa",
    "basic YTpi ",
    "curl ",
    "-u ",
    "-u a:",
    "mysql -p",
    "--password ",
    "--token=",
    "<token>",
    "</token>",
    "\x1b]",
    "\x1b]8;;",
    "\x07",
    "\x1b\\",
    "\x1b[0",
    "\x1b[31m",
    "[0",
    "[0m",
    "\u{9b}",
    "\u{8}",
    "\u{200b}",
    "%",
    "%25",
    "%3D",
    "&amp;",
    "&#",
    "&quot;",
    "QUJD-",
    "QUJDREVGR0hJSktM",
    "a.",
    " ",
];

#[test]
fn the_cost_of_redaction_is_linear_for_every_repeated_piece() {
    for piece in PIECES {
        assert_linear("redact_text", piece, |text| drop(redact_text(text)));
    }
}

#[test]
fn the_cost_of_redaction_is_linear_for_random_combinations_of_pieces() {
    let mut seed = 0x2545_f491_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap_or(0) % below
    };
    for _ in 0..40 {
        let unit: String = (0..2 + random(5)).map(|_| PIECES[random(PIECES.len())]).collect();
        assert_linear("redact_text", &unit, |text| drop(redact_text(text)));
    }
}

#[test]
fn the_cost_of_redaction_is_linear_for_nested_encodings_and_names_of_fields() {
    let nested = (0..4).fold("token=abc123def456 ghp_".to_owned(), |text, _| STANDARD.encode(text));
    for unit in [nested.as_str(), "\\u005cu001b[31m", "%255Cu001b", "&amp;#37;41"] {
        assert_linear("redact_text", unit, |text| drop(redact_text(text)));
    }
    let secret = format!("ghp_{} ", "a1".repeat(18));
    assert_linear("mask_secrets", &secret, |text| {
        let fields: serde_json::Map<_, _> =
            text.split(' ').enumerate().map(|(at, name)| (format!("{name}{at}"), json!(1))).collect();
        drop(mask_secrets(fields.into()));
    });
}
