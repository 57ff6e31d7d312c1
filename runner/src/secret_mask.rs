//! Removes the values of a session's secrets from everything that leaves the runner.

use std::{
    borrow::Cow,
    fmt,
    io::{self, Read},
    sync::Arc,
};

use serde_json::Value;

/// What stands for a value.
const MASK: &str = "[redacted]";

/// The shortest value that is searched for, in bytes. A shorter one would hide ordinary words.
const SHORTEST: usize = 6;

/// How much is searched at once, in bytes.
const PIECE: usize = 64 * 1024;

/// The values of secrets. They are never printed. Clones share them.
#[derive(Clone, Default)]
pub struct SecretMask {
    /// Longest first, so that a value which contains another is replaced as a whole.
    passages: Arc<Vec<String>>,
}

impl fmt::Debug for SecretMask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretMask({})", self.passages.len())
    }
}

impl SecretMask {
    /// Each value counts as a whole, and each of its lines on its own.
    pub fn of_values<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let parts = |value: &'a str| [value.trim()].into_iter().chain(value.lines().map(str::trim));
        let mut passages: Vec<_> =
            values.into_iter().flat_map(parts).filter(|part| part.len() >= SHORTEST).map(str::to_owned).collect();
        passages.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        passages.dedup();
        Self { passages: Arc::new(passages) }
    }

    /// Whether there is nothing to be searched for.
    pub fn is_empty(&self) -> bool {
        self.passages.is_empty()
    }

    /// The text without values.
    pub fn mask_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for passage in self.passages.iter() {
            if masked.contains(passage.as_str()) {
                masked = Cow::Owned(masked.replace(passage.as_str(), MASK));
            }
        }
        masked
    }

    /// Replaces values in the texts of JSON. Names of fields are ours or the agent's tools'.
    pub fn mask_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(masked) = self.mask_text(text) {
                    *text = masked;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.mask_json(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.mask_json(value)),
            _ => {}
        }
    }

    /// Replaces values in a patch or a file of any bytes, line by line: line ends stay, so that a patch still applies.
    pub fn mask_bytes(&self, content: Vec<u8>) -> Vec<u8> {
        if self.is_empty() {
            return content;
        }
        let mut masked = Vec::with_capacity(content.len());
        for line in content.split_inclusive(|byte| *byte == b'\n') {
            // A value is UTF-8, so it lies between bytes that are none.
            for chunk in line.utf8_chunks() {
                masked.extend_from_slice(self.mask_text(chunk.valid()).as_bytes());
                masked.extend_from_slice(chunk.invalid());
            }
        }
        masked
    }

    /// Whether a value occurs in what is read, text or not. What cannot be changed must not leave the runner then.
    ///
    /// # Errors
    ///
    /// What reading reports.
    pub fn occurs_in(&self, mut content: impl Read) -> io::Result<bool> {
        let longest = self.passages.first().map_or(0, String::len);
        let mut window = Vec::new();
        loop {
            let read = content.by_ref().take(PIECE as u64).read_to_end(&mut window)?;
            if read == 0 {
                return Ok(false);
            }
            // A value begins and ends at letters, so bytes that are none hide nothing.
            let text = String::from_utf8_lossy(&window);
            if self.passages.iter().any(|passage| text.contains(passage.as_str())) {
                return Ok(true);
            }
            // The next piece may end what this one has begun.
            window.drain(..window.len().saturating_sub(longest));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_masked_in_texts_json_and_patches() {
        let mask = SecretMask::of_values(["quiet otters", "a key\nof two lines\n"]);
        assert_eq!(mask.mask_text("x=quiet otters; of two lines"), "x=[redacted]; [redacted]");
        let mut value = json!({"a": ["quiet otters", 1, {"b": "no quiet otters"}]});
        mask.mask_json(&mut value);
        assert_eq!(value, json!({"a": ["[redacted]", 1, {"b": "no [redacted]"}]}));
        let patch = b"+password = quiet otters\n\xffquiet otters\xe2\x82\n-x\r\n".to_vec();
        assert_eq!(mask.mask_bytes(patch), b"+password = [redacted]\n\xff[redacted]\xe2\x82\n-x\r\n");
    }

    #[test]
    fn a_value_is_found_in_bytes_of_any_kind_and_between_pieces() {
        let mask = SecretMask::of_values(["quiet otters", "\u{e4}\u{f6}\u{fc}-key"]);
        let found = |content: &[u8]| mask.occurs_in(content).unwrap();
        assert!(found(b"\xff\0quiet otters\xe2\x82") && found(b"\xe2\x82\xc3\xa4\xc3\xb6\xc3\xbc-key"));
        for before in (PIECE - 20)..(PIECE + 20) {
            let content = [vec![b'q'; before], b"quiet otters".to_vec(), vec![0xc3; 7]].concat();
            assert!(found(&content), "{before}");
            assert!(!found(&content[..content.len() - 8]), "{before}");
        }
        assert!(!found(b"") && !SecretMask::default().occurs_in(&b"quiet otters"[..]).unwrap());
    }

    #[test]
    fn a_mask_without_values_changes_nothing_and_prints_none() {
        let mask = SecretMask::of_values(["abc", ""]);
        assert!(mask.is_empty());
        assert!(matches!(mask.mask_text("abc"), Cow::Borrowed("abc")));
        assert_eq!(format!("{:?}", SecretMask::of_values(["quiet otters"])), "SecretMask(1)");
    }
}
