//! The last lines of an agent's standard error output.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// How many lines are kept.
const LINES: usize = 50;

/// How many bytes of a line are kept.
const LINE_BYTES: usize = 2000;

/// The last lines, shared between the task that reads and failures that show them.
#[derive(Clone, Debug, Default)]
pub(super) struct ErrorOutput {
    lines: Arc<Mutex<VecDeque<Vec<u8>>>>,
}

impl ErrorOutput {
    /// Reads to the end, so that the agent never waits for a reader.
    pub(super) async fn follow(&self, mut stream: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            self.append(&buffer[..length]);
        }
    }

    fn append(&self, bytes: &[u8]) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, piece) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if at > 0 || lines.is_empty() {
                lines.push_back(Vec::new());
            }
            if let Some(line) = lines.back_mut() {
                let free = LINE_BYTES.saturating_sub(line.len());
                line.extend_from_slice(&piece[..piece.len().min(free)]);
            }
            if lines.len() > LINES {
                lines.pop_front();
            }
        }
    }

    /// The lines so far that are not empty, oldest first.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let texts = lines.iter().map(|line| String::from_utf8_lossy(line).trim_end().to_owned());
        texts.filter(|line| !line.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_beginnings_of_the_last_lines_are_kept() {
        let mut lines: Vec<_> = (0..200).map(|number| format!("line {number}")).collect();
        lines.push("x".repeat(1_000_000));
        let content = lines.join("\n");
        let output = ErrorOutput::default();
        output.follow(content.as_bytes()).await;
        let lines = output.last_lines();
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[LINES - 2], "line 199");
        assert_eq!(lines[LINES - 1].len(), LINE_BYTES);
    }
}
