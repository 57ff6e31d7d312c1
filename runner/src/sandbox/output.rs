//! The standard error of an agent: read to the end, kept in part.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// How many bytes are kept.
const KEPT_BYTES: usize = 64 * 1024;

/// The end of what a program wrote to its standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorOutput {
    /// The last 64 KiB.
    pub tail: Vec<u8>,
    /// How many bytes before them were discarded.
    pub omitted_bytes: u64,
}

/// A growing output of which only the end is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct OutputTail(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    tail: VecDeque<u8>,
    omitted_bytes: u64,
}

impl OutputTail {
    /// Reads to the end, so that the writer never waits.
    pub(super) async fn read_from(self, mut source: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = source.read(&mut buffer).await {
            self.append(&buffer[..length]);
        }
    }

    pub(super) fn read(&self) -> ErrorOutput {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ErrorOutput { tail: kept.tail.iter().copied().collect(), omitted_bytes: kept.omitted_bytes }
    }

    fn append(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.tail.extend(bytes);
        let beyond = kept.tail.len().saturating_sub(KEPT_BYTES);
        kept.tail.drain(..beyond);
        kept.omitted_bytes += beyond as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_output_keeps_its_last_64_kib_and_counts_the_rest() {
        let output = OutputTail::default();
        let written: Vec<u8> = (0..200_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
        output.clone().read_from(&written[..]).await;
        let kept = output.read();
        assert_eq!(kept.tail, &written[written.len() - KEPT_BYTES..]);
        assert_eq!(kept.omitted_bytes, (written.len() - KEPT_BYTES) as u64);
    }
}
