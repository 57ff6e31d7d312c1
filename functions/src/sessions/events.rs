//! `GET /sessions/{id}/events`: the log of a session, as a page or as a stream.

use std::convert::Infallible;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response, sse::Event as SseFrame},
};
use futures_util::Stream;
use shared::{
    app::App,
    events::{
        log::Event,
        stream::{
            Cursor, Subscriber, Topic,
            frame::StreamEvent,
            hub::feed::{FeedItem, TopicFeed},
        },
    },
    identity::auth::Caller as AuthenticatedCaller,
    kernel::{
        error::Result,
        id::{SessionId, TenantId},
    },
    sessions::{service, status::Status, store::SessionLogPage},
};

use crate::http::{
    problem::HandlerResult,
    request::{Query, SessionPath, StreamReader},
    sse::{self, LogEvent, LogPage, LogPart, LogQuery, LogRequest, LogSource, StreamEnd},
};

impl LogEvent for Event {
    fn seq(&self) -> i64 {
        self.seq
    }

    fn kind(&self) -> &str {
        &self.kind
    }
}

/// List session events
///
/// Returns a page of the session's log, oldest first. With `Accept: text/event-stream` the log is streamed as
/// Server-Sent Events instead, with `seq` as the id of each frame, so that a client that reconnects misses nothing. The
/// stream ends with the last event of a session that is over; `docs/live-stream.md` describes its frames. A browser
/// that cannot send headers authenticates with a ticket in the query.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/events", operation_id = "list_session_events", tag = "sessions",
    params(("id" = uuid::Uuid, Path, description = "The id of the session."), LogQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "For streams: the `seq` of the last event received.")),
    responses((status = 200, description = "A page of the log, or a stream of it.", content(
        (LogPage<Event> = "application/json"), (Event = "text/event-stream"))),
        (status = 204, description = "For streams that continue: the session is over and nothing follows.")))]
pub(super) async fn events(
    State(app): State<App>,
    caller: StreamReader,
    SessionPath(id): SessionPath,
    headers: HeaderMap,
    Query(query): Query<LogQuery>,
) -> HandlerResult<Response> {
    let LogRequest { after, limit, streams, resumes } = LogRequest::parse(&headers, query)?;
    let log = service::list_events(&app, &caller, id, after, limit).await?;
    if !streams {
        return Ok(Json(LogPage::of(after, log.events, log.last_seq)).into_response());
    }
    if resumes && log.is_over && after >= log.last_seq {
        // Any other answer would make a browser reconnect for ever.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let source = SessionLog { app: app.clone(), caller: (*caller).clone(), id };
    let Some(hub) = app.backend.hub().filter(|_| app.settings.streams) else {
        return Ok(sse::respond(sse::frames(source, after, None)));
    };
    let place = (Topic::Session(id), Cursor::Seq(after));
    let feed = hub.follow(&app, Subscriber::from(&*caller), place, app.stream_limits)?;
    Ok(sse::respond(follow(source, after, (log.last_seq, log.is_over), feed)))
}

/// The events of a feed, until the session is over, which the log is asked for before the end.
fn follow(
    source: SessionLog,
    mut after: i64,
    (mut last_seq, mut is_over): (i64, bool),
    mut feed: TopicFeed,
) -> impl Stream<Item = Result<SseFrame, Infallible>> {
    async_stream::stream! {
        yield Ok(sse::first_frame());
        loop {
            if is_over && after >= last_seq {
                let Ok(log) = source.read(after, 0).await else { break };
                (last_seq, is_over) = (log.last_seq, log.is_over);
                if is_over && after >= last_seq {
                    yield Ok(StreamEnd::Over.frame());
                    break;
                }
            }
            match feed.next().await {
                FeedItem::Closed(why) => {
                    yield Ok(StreamEnd::from(why).frame());
                    break;
                }
                FeedItem::Event(event) => {
                    after = event.seq.unwrap_or(after);
                    is_over |= ends_session(&event);
                    let id = after.to_string();
                    yield Ok(sse::event_frame(id, &event.kind, &event_of(&event, source.caller.tenant_id, source.id)));
                }
            }
        }
    }
}

/// Whether a session is over with an event.
fn ends_session(event: &StreamEvent) -> bool {
    let entered = event.payload["to"].as_str().filter(|_| event.kind == "session.status_changed");
    entered.and_then(Status::parse).is_some_and(Status::is_over)
}

/// The event of a feed as the log shows it.
fn event_of(event: &StreamEvent, tenant_id: TenantId, session_id: SessionId) -> Event {
    Event {
        id: event.id,
        seq: event.seq.unwrap_or_default(),
        kind: event.kind.clone(),
        tenant_id,
        session_id,
        actor: event.actor.clone(),
        at: event.at,
        payload: event.payload.clone(),
    }
}

struct SessionLog {
    app: App,
    caller: AuthenticatedCaller,
    id: SessionId,
}

impl LogSource for SessionLog {
    type Event = Event;

    async fn read(&self, after: i64, limit: i64) -> Result<LogPart<Event>> {
        let SessionLogPage { events, last_seq, is_over } =
            service::list_events(&self.app, &self.caller, self.id, after, limit).await?;
        Ok(LogPart { events, last_seq, is_over })
    }
}
