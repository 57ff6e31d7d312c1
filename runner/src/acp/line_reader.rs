//! Lines of bounded length.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};

/// The next part of a stream of lines.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// A line without its end.
    Complete(Vec<u8>),
    /// The first bytes of a line that is longer than the limit. Nothing more can be read.
    TooLong(Vec<u8>),
    /// The stream has ended.
    End,
}

/// Reads a stream by lines, and holds at most one line of the limit's length in memory.
pub(super) struct LineReader<R> {
    stream: BufReader<R>,
    limit: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Reads lines of at most `limit` bytes.
    pub(super) fn new(stream: R, limit: usize) -> Self {
        Self { stream: BufReader::with_capacity(64 * 1024, stream), limit }
    }

    /// The next line. What stands after the last line end counts as a line.
    pub(super) async fn read_next(&mut self) -> io::Result<Line> {
        let mut line = Vec::new();
        loop {
            let chunk = self.stream.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(if line.is_empty() { Line::End } else { Line::Complete(line) });
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let length = end.unwrap_or(chunk.len());
            if line.len() + length > self.limit {
                line.extend_from_slice(&chunk[..length.min(self.limit)]);
                line.truncate(self.limit);
                return Ok(Line::TooLong(line));
            }
            line.extend_from_slice(&chunk[..length]);
            consume(&mut self.stream, length + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Line::Complete(line));
            }
        }
    }
}

fn consume(stream: &mut (impl AsyncBufRead + Unpin), length: usize) {
    std::pin::Pin::new(stream).consume(length);
}

/// The first `limit` bytes of a text that may be no UTF-8, for a message.
pub(super) fn beginning_of(bytes: &[u8], limit: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(limit)]);
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read_all(content: &[u8], limit: usize) -> Vec<Line> {
        let mut reader = LineReader::new(content, limit);
        let mut lines = Vec::new();
        loop {
            let line = reader.read_next().await.unwrap();
            let is_last = !matches!(line, Line::Complete(_));
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }

    #[tokio::test]
    async fn a_line_beyond_the_limit_ends_the_reading_with_its_beginning() {
        let lines = read_all(b"abc\nabcdef\nx\n", 4).await;
        assert_eq!(lines, [Line::Complete(b"abc".to_vec()), Line::TooLong(b"abcd".to_vec())]);
    }

    #[test]
    fn the_beginning_of_a_line_has_no_control_characters() {
        assert_eq!(beginning_of(b"a\x1b[31m\xff\tbc", 8), "a [31m\u{fffd} ");
    }

    proptest! {
        #[test]
        fn lines_within_the_limit_are_read_as_they_are(
            lines in proptest::collection::vec("[^\n]{0,40}", 0..20), ends in any::<bool>()
        ) {
            let mut content = lines.join("\n");
            if ends && !lines.is_empty() {
                content.push('\n');
            }
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let read = runtime.block_on(read_all(content.as_bytes(), 400));
            let mut expected: Vec<_> = content.split('\n').map(|line| Line::Complete(line.into())).collect();
            if content.is_empty() || content.ends_with('\n') {
                expected.pop();
            }
            expected.push(Line::End);
            prop_assert_eq!(read, expected);
        }
    }
}
