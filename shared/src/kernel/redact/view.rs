//! Copies of a text in which secrets are searched: each byte knows its span in the original text.

use std::{borrow::Cow, ops::Range};

/// A copy of a text, or of a part of it that was decoded.
pub(super) struct View<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// The span of each byte in the original text; `None`: the view is the original.
    origins: Option<Vec<(u32, u32)>>,
}

impl<'a> View<'a> {
    pub(super) fn of_text(text: &'a str) -> Self {
        Self { bytes: Cow::Borrowed(text.as_bytes()), origins: None }
    }

    /// The span of the original text from which these bytes come. Bytes of a view may stand in another order than in
    /// the original; such a span covers all of them.
    pub(super) fn original_span(&self, range: Range<usize>) -> Range<usize> {
        let Some(origins) = &self.origins else { return range };
        let (Some(first), Some(last)) = (origins.get(range.start), origins.get(range.end.saturating_sub(1))) else {
            return 0..0;
        };
        let (start, end) = (first.0.min(last.0), first.1.max(last.1));
        start as usize..end as usize
    }

    /// Whether something that nobody sees stands in the original before this byte.
    pub(super) fn has_gap_before(&self, at: usize) -> bool {
        match (&self.origins, at.checked_sub(1)) {
            (Some(origins), Some(before)) => {
                origins.get(at).is_some_and(|origin| origin.0 != origins[before].1 && *origin != origins[before])
            }
            _ => false,
        }
    }

    /// Whether a token may begin here: no letter or digit of the same token stands before it.
    pub(super) fn begins_token(&self, at: usize) -> bool {
        at == 0 || !self.bytes[at - 1].is_ascii_alphanumeric() || self.has_gap_before(at)
    }
}

/// Builds a view from another.
pub(super) struct ViewBuilder<'v, 'a> {
    parent: &'v View<'a>,
    bytes: Vec<u8>,
    origins: Vec<(u32, u32)>,
}

impl<'v, 'a> ViewBuilder<'v, 'a> {
    pub(super) fn new(parent: &'v View<'a>) -> Self {
        let capacity = parent.bytes.len();
        Self { parent, bytes: Vec::with_capacity(capacity), origins: Vec::with_capacity(capacity) }
    }

    /// Copies bytes of the parent.
    pub(super) fn copy_bytes(&mut self, range: Range<usize>) {
        for at in range {
            self.push_byte(self.parent.bytes[at], at..at + 1);
        }
    }

    /// Adds a byte that stands for these bytes of the parent.
    pub(super) fn push_byte(&mut self, byte: u8, range: Range<usize>) {
        let span = self.parent.original_span(range);
        self.bytes.push(byte);
        self.origins.push((to_position(span.start), to_position(span.end)));
    }

    /// Adds a character that stands for these bytes of the parent.
    pub(super) fn push_char(&mut self, c: char, range: &Range<usize>) {
        let mut buffer = [0; 4];
        for byte in c.encode_utf8(&mut buffer).bytes() {
            self.push_byte(byte, range.clone());
        }
    }

    /// Removes the last character, as a backspace does on a terminal.
    pub(super) fn remove_char(&mut self) {
        while let Some(byte) = self.bytes.pop() {
            self.origins.pop();
            if byte & 0xc0 != 0x80 {
                return;
            }
        }
    }

    pub(super) fn ends_with(&self, end: &[u8]) -> bool {
        self.bytes.ends_with(end)
    }

    pub(super) fn build<'b>(self) -> View<'b> {
        View { bytes: Cow::Owned(self.bytes), origins: Some(self.origins) }
    }
}

/// Texts of more than 4 GiB are cut long before they are redacted.
fn to_position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
