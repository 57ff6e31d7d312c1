//! `GET /sessions/{id}/events`: the log, as a page or (`Accept: text/event-stream`) as a stream that goes on where it
//! broke off.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{
        IntoResponse, Response,
        sse::{Event as Frame, KeepAlive, Sse},
    },
};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    auth::Caller as Identity,
    error::Error,
    event::Event,
    id::SessionId,
    session::service::{self, Log},
};
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};

use crate::{
    problem::{Answer, Problems},
    reply::MOST_IN_ONE_PIECE,
    request::{Caller, Id, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only what came after this seq. 0 when absent: from the beginning.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// A stretch of the log.
#[derive(Serialize, ToSchema)]
pub(super) struct EventPage {
    items: Vec<Event>,
    /// The `after` of the next page; null when this is the end of the log so far.
    next_cursor: Option<String>,
    /// The end of the log so far.
    last_seq: i64,
}

#[utoipa::path(get, path = "/api/v1/sessions/{id}/events", operation_id = "list_session_events", tag = "sessions", params(("id" = uuid::Uuid, Path), EventsQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "For streams: the seq after which to go on.")),
    responses((status = 200, description = "A page of the log; or a stream of it, with seq as the id of each frame.", content(
        (EventPage = "application/json"), (String = "text/event-stream"))), Problems))]
pub(super) async fn events(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Id(id): Id,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Answer<Response> {
    let number = |field: &'static str, text: Option<String>, least: i64, most: i64, default: i64| match text {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|n| (least..=most).contains(n)).ok_or_else(|| {
            let limits =
                if most == i64::MAX { "is not a seq".to_owned() } else { format!("must be {least} to {most}") };
            Error::field(field, limits)
        }),
    };
    let limit = number("limit", query.limit, 1, 200, 50)?;
    let streams =
        headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/event-stream"));
    let last =
        headers.get("last-event-id").and_then(|value| value.to_str().ok()).filter(|_| streams).map(str::to_owned);
    let after = number("after", last.or(query.after), 0, i64::MAX, 0)?;
    let log = service::events(&app, &caller, id, after, limit).await?;
    if streams {
        return Ok(stream(app, (*caller).clone(), id, after));
    }
    let end = log.events.last().map_or(after, |event| event.seq);
    let next_cursor = (end < log.last_seq).then(|| end.to_string());
    Ok(Json(EventPage { items: log.events, next_cursor, last_seq: log.last_seq }).into_response())
}

fn stream(app: App, caller: Identity, id: SessionId, after: i64) -> Response {
    let keeps_open = app.settings.streams;
    let frames = frames(app, caller, id, after, keeps_open);
    Sse::new(frames).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

/// All events after `after`, as they come. A host that cannot keep a connection open ends after what is there, or as much
/// of it as one answer holds; the client comes back with the last id.
fn frames(
    app: App,
    caller: Identity,
    id: SessionId,
    mut after: i64,
    open: bool,
) -> impl Stream<Item = Result<Frame, Infallible>> {
    async_stream::stream! {
        let mut news = app.news.listen();
        let mut room = MOST_IN_ONE_PIECE;
        yield Ok(Frame::default().retry(Duration::from_secs(1)));
        loop {
            let Ok(Log { events, last_seq }) = service::events(&app, &caller, id, after, 200).await else { break };
            for event in events {
                after = event.seq;
                let data = serde_json::to_string(&event).unwrap_or_default();
                room = room.saturating_sub(data.len());
                yield Ok(Frame::default().id(event.seq.to_string()).event(event.kind.clone()).data(data));
                if !open && room == 0 {
                    return;
                }
            }
            if after < last_seq {
                continue;
            }
            if !open {
                break;
            }
            // A hint may be missed, or come to another process: look again after a second at the latest.
            let hinted = async {
                loop {
                    match news.recv().await {
                        Ok(told) if told == (caller.tenant_id, id) => break,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_) | RecvError::Closed) => break,
                    }
                }
            };
            let _ = tokio::time::timeout(Duration::from_secs(1), hinted).await;
        }
    }
}
