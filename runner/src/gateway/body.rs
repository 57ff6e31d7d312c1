//! The answer of a provider on its way to the agent: passed on chunk by chunk, and read along for its usage.

use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::unfold};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::{
    events::{GatewayEvent, ModelCall},
    protocol::Protocol,
    sse::{EventSplitter, Piece, read_data},
    usage::UsageReader,
    usage_chunk::UsageChunkFilter,
};

/// The most that is kept of an answer, or of one event, to read its usage.
const MOST_KEPT: usize = 16 * 1024 * 1024;

/// One call, which is reported when this is dropped: at its end, or when the agent or the runner gives it up.
pub(super) struct CallRecord {
    call: ModelCall,
    started: Instant,
    usage: UsageReader,
    events: UnboundedSender<GatewayEvent>,
}

impl CallRecord {
    pub(super) fn begin(
        (provider, protocol, model): (&str, Protocol, &str),
        events: UnboundedSender<GatewayEvent>,
    ) -> Self {
        let call = ModelCall {
            provider: provider.to_owned(),
            protocol,
            model: model.to_owned(),
            usage: None,
            status: 502,
            complete: false,
            duration: std::time::Duration::ZERO,
        };
        Self { call, started: Instant::now(), usage: UsageReader::default(), events }
    }

    pub(super) fn set_status(&mut self, status: u16) {
        self.call.status = status;
    }

    pub(super) fn complete(&mut self) {
        self.call.complete = true;
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.call.usage = self.usage.finish();
        self.call.duration = self.started.elapsed();
        // The receiver is gone when the session has ended.
        let _ = self.events.send(GatewayEvent::ModelCall(self.call.clone()));
    }
}

/// How an answer is read for its usage.
pub(super) enum AnswerReader {
    Events(EventSplitter),
    Json(Vec<u8>),
    /// Compressed, although that was not asked for.
    Unreadable,
}

impl AnswerReader {
    fn read(&mut self, chunk: &[u8], usage: &mut UsageReader) {
        match self {
            Self::Events(splitter) => {
                for piece in splitter.push(chunk) {
                    if let Piece::Event(event) = piece {
                        read_event(&event, usage);
                    }
                }
                if splitter.pending_bytes() > MOST_KEPT {
                    splitter.take_pending();
                }
            }
            Self::Json(kept) if kept.len() + chunk.len() <= MOST_KEPT => kept.extend_from_slice(chunk),
            Self::Json(_) => *self = Self::Unreadable,
            Self::Unreadable => {}
        }
    }

    fn finish(&mut self, usage: &mut UsageReader) {
        match self {
            Self::Events(splitter) => read_event(&splitter.take_pending(), usage),
            Self::Json(kept) => {
                if let Ok(value) = serde_json::from_slice::<Value>(kept) {
                    usage.read(&value);
                }
            }
            Self::Unreadable => {}
        }
    }
}

fn read_event(event: &[u8], usage: &mut UsageReader) {
    // Most events have no usage and are not parsed.
    if event.windows(6).any(|window| window == b"\"usage")
        && let Ok(value) = serde_json::from_slice::<Value>(&read_data(event))
    {
        usage.read(&value);
    }
}

struct MeteredAnswer<S> {
    chunks: S,
    reader: AnswerReader,
    filter: Option<UsageChunkFilter>,
    /// None after the end.
    record: Option<CallRecord>,
}

/// The body for the agent. Each chunk is passed on as soon as it has come.
pub(super) fn make_metered_body(
    chunks: impl Stream<Item = reqwest::Result<Bytes>> + Send + Unpin + 'static,
    reader: AnswerReader,
    filter: Option<UsageChunkFilter>,
    record: CallRecord,
) -> Body {
    let answer = MeteredAnswer { chunks, reader, filter, record: Some(record) };
    Body::from_stream(unfold(answer, next_chunk))
}

async fn next_chunk<S>(mut answer: MeteredAnswer<S>) -> Option<(reqwest::Result<Bytes>, MeteredAnswer<S>)>
where
    S: Stream<Item = reqwest::Result<Bytes>> + Unpin,
{
    loop {
        let mut record = answer.record.take()?;
        match answer.chunks.next().await {
            Some(Ok(chunk)) => {
                answer.reader.read(&chunk, &mut record.usage);
                answer.record = Some(record);
                let passed = answer.filter.as_mut().map_or(chunk.clone(), |filter| filter.push(&chunk).into());
                if !passed.is_empty() {
                    return Some((Ok(passed), answer));
                }
            }
            // The record is dropped with what was counted so far.
            Some(Err(error)) => return Some((Err(error.without_url()), answer)),
            None => {
                answer.reader.finish(&mut record.usage);
                record.complete();
                drop(record);
                let rest = answer.filter.as_mut().map(UsageChunkFilter::finish).unwrap_or_default();
                return (!rest.is_empty()).then(|| (Ok(rest.into()), answer));
            }
        }
    }
}
