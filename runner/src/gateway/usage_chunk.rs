//! Removes from a stream of chat completions the chunk that the gateway asked for: the one with the usage and no
//! choice.

use serde_json::Value;

use super::sse::{EventSplitter, Piece, read_data};

/// A longer event is passed on as it comes: it is no usage chunk, and would only wait in memory.
const LONGEST_EVENT: usize = 1024 * 1024;

/// Passes a stream on, event by event, without the usage chunk.
#[derive(Debug)]
pub(super) struct UsageChunkFilter {
    splitter: EventSplitter,
    /// An event that is too long, of which the beginning was passed on.
    is_passing: bool,
    was_removed: bool,
}

impl UsageChunkFilter {
    pub(super) fn new() -> Self {
        Self { splitter: EventSplitter::new(), is_passing: false, was_removed: false }
    }

    /// Takes in a chunk and returns what is passed on.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut output = Vec::with_capacity(chunk.len());
        for piece in self.splitter.push(chunk) {
            match piece {
                Piece::Event(event) => {
                    self.was_removed = !std::mem::take(&mut self.is_passing) && is_usage_chunk(&event);
                    if !self.was_removed {
                        output.extend(event);
                    }
                }
                Piece::EndOfLine if self.was_removed => {}
                Piece::EndOfLine => output.push(b'\n'),
            }
        }
        if self.is_passing || self.splitter.pending_bytes() > LONGEST_EVENT {
            self.is_passing = true;
            self.was_removed = false;
            output.extend(self.splitter.take_pending());
        }
        output
    }

    /// What is passed on at the end of the stream.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let event = self.splitter.take_pending();
        if !self.is_passing && is_usage_chunk(&event) { Vec::new() } else { event }
    }
}

/// Whether an event is the extra chunk of `stream_options.include_usage`.
pub(super) fn is_usage_chunk(event: &[u8]) -> bool {
    // Most events have no usage and are not parsed.
    if !event.windows(7).any(|window| window == b"\"usage\"") {
        return false;
    }
    let Ok(chunk) = serde_json::from_slice::<Value>(&read_data(event)) else { return false };
    let has_no_choice = chunk.get("choices").and_then(Value::as_array).is_some_and(Vec::is_empty);
    has_no_choice && chunk.get("usage").is_some_and(Value::is_object)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USAGE: &str = r#"data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;

    fn filter(stream: &[u8], cuts: &[usize]) -> Vec<u8> {
        let mut filter = UsageChunkFilter::new();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([0, stream.len()]).collect();
        cuts.sort_unstable();
        let mut output: Vec<u8> = cuts.windows(2).flat_map(|cut| filter.push(&stream[cut[0]..cut[1]])).collect();
        output.extend(filter.finish());
        output
    }

    fn other_event() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(": keep-alive".to_owned()),
            Just("data: [DONE]".to_owned()),
            Just(r#"data: {"choices":[],"prompt_filter_results":[],"usage":null}"#.to_owned()),
            Just(r#"data: {"choices":[{"delta":{"content":"\"usage\""}}],"usage":{"prompt_tokens":1}}"#.to_owned()),
            "[a-zä\u{1F600}]{0,9}: ?[ -~]{0,40}",
            "event: [a-z]{1,9}\ndata: [ -~]{0,30}",
        ]
    }

    proptest! {
        #[test]
        fn a_stream_passes_unchanged_except_for_the_usage_chunk(
            events in prop::collection::vec((other_event(), any::<bool>()), 0..12),
            end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
            cuts in prop::collection::vec(any::<usize>(), 0..20),
            rest in "[ -~]{0,20}",
        ) {
            let (mut stream, mut expected) = (String::new(), String::new());
            for (event, usage_follows) in &events {
                let text = format!("{}{end}{end}", event.replace('\n', end));
                stream.push_str(&text);
                expected.push_str(&text);
                if *usage_follows {
                    stream.extend([USAGE, end, end]);
                }
            }
            stream.push_str(&rest);
            expected.push_str(&rest);
            let output = filter(stream.as_bytes(), &cuts);
            prop_assert_eq!(String::from_utf8_lossy(&output), expected);
        }

        #[test]
        fn bytes_of_any_kind_pass_unchanged(stream in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(any::<usize>(), 0..9)) {
            prop_assert_eq!(filter(&stream, &cuts), stream);
        }
    }

    #[test]
    fn a_usage_chunk_without_an_end_is_removed_and_a_very_long_event_is_not_held() {
        assert!(filter(USAGE.as_bytes(), &[5]).is_empty());
        let mut filter = UsageChunkFilter::new();
        let long = vec![b'x'; LONGEST_EVENT + 2];
        assert_eq!(filter.push(&long).len(), long.len());
        let rest = format!("{USAGE}\n\n{USAGE}\n\nlast");
        assert_eq!(filter.push(rest.as_bytes()), format!("{USAGE}\n\n").as_bytes());
        assert_eq!(filter.finish(), b"last");
    }
}
