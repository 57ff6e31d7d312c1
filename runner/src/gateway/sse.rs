//! Server-sent events, split without changing a byte.
//!
//! An event ends with an empty line; a line ends with LF, CRLF or CR. Chunks of the network may end anywhere.

/// Splits a stream into events, each with the bytes as they came.
#[derive(Debug, Default)]
pub(super) struct EventSplitter {
    pending: Vec<u8>,
    is_line_empty: bool,
    after_carriage_return: bool,
}

/// A part of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A complete event with its end.
    Event(Vec<u8>),
    /// The LF of a CRLF whose CR ended the event before.
    EndOfLine,
}

impl EventSplitter {
    pub(super) fn new() -> Self {
        Self { is_line_empty: true, ..Self::default() }
    }

    /// Takes in a chunk and returns what is complete with it.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for &byte in chunk {
            let is_second_half = byte == b'\n' && self.after_carriage_return;
            self.after_carriage_return = byte == b'\r';
            if is_second_half {
                // The line was ended by its CR already.
                if self.pending.is_empty() {
                    pieces.push(Piece::EndOfLine);
                } else {
                    self.pending.push(byte);
                }
                continue;
            }
            self.pending.push(byte);
            let is_end_of_line = byte == b'\n' || byte == b'\r';
            if is_end_of_line && self.is_line_empty {
                pieces.push(Piece::Event(std::mem::take(&mut self.pending)));
            }
            self.is_line_empty = is_end_of_line;
        }
        pieces
    }

    /// How many bytes wait for the end of their event.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// The bytes of an event without its end.
    pub(super) fn take_pending(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }
}

/// The data of an event: its `data` lines, joined by LF.
pub(super) fn read_data(event: &[u8]) -> Vec<u8> {
    let lines = event.split(|byte| matches!(byte, b'\n' | b'\r'));
    let data = lines.filter_map(|line| line.strip_prefix(b"data:"));
    let data: Vec<_> = data.map(|line| line.strip_prefix(b" ").unwrap_or(line)).collect();
    data.join(&b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_ends_with_an_empty_line_of_any_kind() {
        for end in ["\n\n", "\r\r", "\n\r", "\r\n\n"] {
            let text = format!("event: a\ndata: 1{end}");
            let mut splitter = EventSplitter::new();
            assert_eq!(splitter.push(text.as_bytes()), [Piece::Event(text.clone().into_bytes())], "{end:?}");
        }
        let mut splitter = EventSplitter::new();
        assert_eq!(splitter.push(b"data: 1\r\n\r"), [Piece::Event(b"data: 1\r\n\r".to_vec())]);
        assert_eq!(splitter.push(b"\ndata"), [Piece::EndOfLine]);
        assert_eq!(splitter.take_pending(), b"data");
    }

    #[test]
    fn the_data_of_several_lines_are_joined() {
        assert_eq!(read_data(b"event: x\r\ndata: {\"a\":\r\ndata:1}\r\n\r\n"), b"{\"a\":\n1}");
        assert_eq!(read_data(b": comment\n\n"), b"");
    }
}
