//! A log as a page or as Server-Sent Events (`Accept: text/event-stream`). Sessions, training jobs, topics and tasks
//! share it.

use std::{convert::Infallible, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event as SseFrame, KeepAlive, Sse},
    },
};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    events::stream::hub::{
        feed::{FeedItem, TopicFeed},
        outbox::CloseReason,
    },
    kernel::error::{Result, ValidationErrors},
};
use utoipa::{IntoParams, ToSchema};

use crate::http::{
    query::{parse_limit, parse_one},
    response::{MAX_BUFFERED_RESPONSE, count_fitting},
};

/// How many events a stream reads at once.
const BATCH: i64 = 200;

/// How long a client waits before it reconnects.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// How often a stream sends a comment, so that proxies keep it open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The longest wait for a notification that may have been lost.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A position in a log.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// Return events after this `seq`. Default: 0, the beginning of the log.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
    /// The largest number of events in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// A ticket of `POST /live/tickets`, in place of the Authorization header. It can be used once, within a minute.
    #[serde(rename = "ticket")]
    _ticket: Option<String>,
}

/// A request for a log.
pub(crate) struct LogRequest {
    pub after: i64,
    pub limit: i64,
    /// Whether the client asked for a stream.
    pub streams: bool,
    /// Whether the client continues a stream that it read before.
    pub resumes: bool,
}

impl LogRequest {
    /// A stream continues after `Last-Event-ID`, which takes precedence over `after`. A browser sends the header by
    /// itself and gives up when it is refused, so one that is no position counts as the beginning.
    pub(crate) fn parse(headers: &HeaderMap, query: LogQuery) -> Result<Self> {
        let streams = accepts_stream(headers);
        let mut refusals = ValidationErrors::default();
        let limit = parse_limit(&mut refusals, query.limit);
        let asked = parse_one(&mut refusals, "after", query.after, "is not a seq").unwrap_or(0);
        if asked < 0 {
            refusals.add("after", "is not a seq");
        }
        refusals.into_result()?;
        let last = last_event_id(headers).filter(|_| streams);
        let resumed = last.map(|text| text.parse().ok().filter(|seq: &i64| *seq >= 0).unwrap_or(0));
        Ok(Self { after: resumed.unwrap_or(asked), limit, streams, resumes: resumed.is_some() })
    }
}

/// Whether the client asks for Server-Sent Events.
pub(crate) fn accepts_stream(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// The id of the last event that the client has received.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id").and_then(|value| value.to_str().ok())
}

/// A part of a log.
#[derive(Serialize, ToSchema)]
pub(crate) struct LogPage<E> {
    /// The events, oldest first.
    items: Vec<E>,
    /// The `after` of the next page; null at the end of the log.
    #[schema(required)]
    next_cursor: Option<String>,
    /// The `seq` of the newest event of the log.
    last_seq: i64,
}

/// An event with its position in the log.
pub(crate) trait LogEvent: Serialize {
    fn seq(&self) -> i64;

    fn kind(&self) -> &str;
}

impl<E: LogEvent> LogPage<E> {
    /// The events found after `after` of a log that ends with `last_seq`, as many as fit into a response.
    pub(crate) fn of(after: i64, mut items: Vec<E>, last_seq: i64) -> Self {
        items.truncate(count_fitting(&items, MAX_BUFFERED_RESPONSE));
        let end = items.last().map_or(after, LogEvent::seq);
        let next_cursor = (end < last_seq).then(|| end.to_string());
        Self { items, next_cursor, last_seq }
    }
}

/// A part of a log as a stream reads it.
pub(crate) struct LogPart<E> {
    pub events: Vec<E>,
    /// The `seq` of the newest event of the log.
    pub last_seq: i64,
    /// Whether nothing follows the newest event.
    pub is_over: bool,
}

/// A log that a stream reads.
pub(crate) trait LogSource: Send + 'static {
    type Event: LogEvent + Send;

    /// The events after `after`, at most `limit`.
    fn read(&self, after: i64, limit: i64) -> impl Future<Output = Result<LogPart<Self::Event>>> + Send;
}

/// Why a stream ends, as its last frame says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StreamEnd {
    /// What it reports on is over.
    Over,
    /// The credential that opened it has ended.
    CredentialEnded,
    /// It is as old as a stream may become, its reader is too slow, or the server stops.
    Reconnect,
    /// What it reports on was deleted.
    Deleted,
}

impl From<CloseReason> for StreamEnd {
    fn from(why: CloseReason) -> Self {
        match why {
            CloseReason::Revoked => Self::CredentialEnded,
            CloseReason::Gone => Self::Deleted,
            CloseReason::Reconnect | CloseReason::Unresponsive | CloseReason::Flooded => Self::Reconnect,
        }
    }
}

impl StreamEnd {
    /// The last frame of a stream. It has no id, so a client that reconnects goes on after the last event.
    pub(crate) fn frame(self) -> SseFrame {
        let (reason, reconnect) = match self {
            Self::Over => ("over", false),
            Self::CredentialEnded => ("credential_ended", false),
            Self::Reconnect => ("reconnect", true),
            Self::Deleted => ("deleted", false),
        };
        SseFrame::default().event("stream.ended").data(json!({"reason": reason, "reconnect": reconnect}).to_string())
    }
}

/// The first frame of a stream.
pub(crate) fn first_frame() -> SseFrame {
    SseFrame::default().retry(RECONNECT_DELAY)
}

/// The frame of an event.
pub(crate) fn event_frame(id: String, kind: &str, event: &impl Serialize) -> SseFrame {
    SseFrame::default().id(id).event(kind).data(serde_json::to_string(event).unwrap_or_default())
}

/// Answers with a stream of frames. The header keeps nginx from holding them back.
pub(crate) fn respond(frames: impl Stream<Item = Result<SseFrame, Infallible>> + Send + 'static) -> Response {
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    ([unbuffered], Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response()
}

/// Streams the events after `after` as they are read. With a feed the stream stays open until what it reports on is
/// over; each item of the feed means that there may be more. Without one it ends with the log, or when the answer is
/// full, and the client reconnects with the last id.
pub(crate) fn frames<S: LogSource>(
    source: S,
    mut after: i64,
    mut feed: Option<TopicFeed>,
) -> impl Stream<Item = Result<SseFrame, Infallible>> {
    async_stream::stream! {
        let mut budget = MAX_BUFFERED_RESPONSE;
        yield Ok(first_frame());
        loop {
            let Ok(LogPart { events, last_seq, is_over }) = source.read(after, BATCH).await else { break };
            for event in events {
                after = event.seq();
                let data = serde_json::to_string(&event).unwrap_or_default();
                budget = budget.saturating_sub(data.len());
                yield Ok(SseFrame::default().id(after.to_string()).event(event.kind()).data(data));
                if feed.is_none() && budget == 0 {
                    return;
                }
            }
            if after < last_seq {
                continue;
            }
            if is_over {
                yield Ok(StreamEnd::Over.frame());
                break;
            }
            let Some(feed) = &mut feed else { break };
            if let Ok(FeedItem::Closed(why)) = tokio::time::timeout(LONGEST_WAIT, feed.next()).await {
                yield Ok(StreamEnd::from(why).frame());
                break;
            }
        }
    }
}
