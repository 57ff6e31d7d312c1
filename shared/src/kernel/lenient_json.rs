//! Reads the JSON of agents. Programs in JavaScript cut texts within a character: what remains is half of a surrogate
//! pair, or bytes that are no UTF-8. The damage is shown as U+FFFD, and the rest of the answer is read.

use serde_json::Value;

/// What stands for half of a surrogate pair, as JSON escapes it.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// Reads JSON. Bytes that are no UTF-8, and escaped surrogates without their other half, become U+FFFD. The cost is
/// linear in the size of the bytes.
pub fn read_lenient(bytes: &[u8]) -> serde_json::Result<Value> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(strict) => {
            let text = String::from_utf8_lossy(bytes);
            let repaired = replace_lone_surrogates(text.as_bytes());
            serde_json::from_slice(&repaired).map_err(|_| strict)
        }
    }
}

/// The beginning of an answer that is not understood, for a message to people.
pub fn quote_beginning(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

/// Replaces `\ud83d` and the like that stand alone. In JSON a backslash occurs in strings only, and begins an escape.
fn replace_lone_surrogates(json: &[u8]) -> Vec<u8> {
    let mut repaired = Vec::with_capacity(json.len());
    let mut at = 0;
    while at < json.len() {
        let (length, is_lone) = match surrogate_at(json, at) {
            Some(Half::High) if surrogate_at(json, at + 6) == Some(Half::Low) => (12, false),
            Some(_) => (6, true),
            None if json[at] == b'\\' => (2, false),
            None => (1, false),
        };
        let end = (at + length).min(json.len());
        repaired.extend_from_slice(if is_lone { REPLACEMENT } else { &json[at..end] });
        at = end;
    }
    repaired
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Half {
    High,
    Low,
}

/// The half of a surrogate pair whose escape begins here.
fn surrogate_at(json: &[u8], at: usize) -> Option<Half> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let code = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    match code {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::kernel::cost::assert_linear;

    /// A text, each part as it was written, as bytes of JSON, and as it is to be read.
    fn damaged_text() -> impl Strategy<Value = (Vec<u8>, String)> {
        let whole = "[a-z\"\\\\\u{e9}\u{1f600}\n]{0,6}".prop_map(|text| {
            let quoted = serde_json::to_string(&text).unwrap();
            (quoted.as_bytes()[1..quoted.len() - 1].to_vec(), text)
        });
        let part = prop_oneof![
            4 => whole,
            1 => Just((b"\\ud83d".to_vec(), "\u{fffd}".to_owned())),
            1 => Just((b"\\ude00x".to_vec(), "\u{fffd}x".to_owned())),
            1 => Just((b"\\uD83D\\uDE00".to_vec(), "\u{1f600}".to_owned())),
            1 => Just((vec![0xff], "\u{fffd}".to_owned())),
            1 => Just((b"\\\\ud83d".to_vec(), "\\ud83d".to_owned())),
        ];
        proptest::collection::vec(part, 0..8).prop_map(|parts| {
            let mut all = (Vec::new(), String::new());
            for (written, read) in parts {
                // A high half before a low one would be a pair.
                let pairs = all.0.ends_with(b"\\ud83d") && written == b"\\ude00x";
                let (written, read) = if pairs { (b"y".to_vec(), "y".to_owned()) } else { (written, read) };
                all.0.extend(&written);
                all.1.push_str(&read);
            }
            all
        })
    }

    proptest! {
        #[test]
        fn json_whose_texts_are_damaged_is_read((written, read) in damaged_text(), number in any::<i64>()) {
            let mut json = b"{\"a\": [\"".to_vec();
            json.extend(&written);
            json.extend(format!("\", {number}]}}").as_bytes());
            prop_assert_eq!(read_lenient(&json).unwrap(), json!({"a": [read, number]}));
        }

        #[test]
        fn nothing_of_others_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read_lenient(&bytes);
            let _ = quote_beginning(&bytes);
        }
    }

    #[test]
    fn the_cost_of_damaged_json_is_linear_for_every_repeated_piece() {
        for piece in
            ["\\ud83d", "\\ude00", "\\ud83d\\ude00", "\\", "\\u", "\\ud8", "\"", "[", "{\"a\":", "\u{fffd}", "a"]
        {
            assert_linear("reading", piece, |text| {
                let _ = read_lenient(text.as_bytes());
                let _ = read_lenient(format!("[\"{text}\\ud83d\"]").as_bytes());
                let damaged = [b"[\"".as_slice(), text.as_bytes(), b"\xff\"]"].concat();
                let _ = read_lenient(&damaged);
            });
        }
    }

    #[test]
    fn text_that_is_no_json_is_refused() {
        for bytes in [&b"no JSON"[..], b"", b"{\"a\": ", b"{\"a\": \"\\ud83", b"\\"] {
            assert!(read_lenient(bytes).is_err(), "{bytes:?}");
        }
    }
}
