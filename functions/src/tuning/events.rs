//! `GET /fine-tuning/jobs/{id}/events`: the log, as a page or (`Accept: text/event-stream`) as a stream that goes on where
//! it broke off.

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
    error::Refusals,
    id::TrainingJobId,
    tuning::{
        event::Event,
        service::{self, Log},
    },
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    problem::{Answer, Problems},
    query::{limit, one},
    reply::MOST_IN_ONE_PIECE,
    request::{Caller, Named, Query, Viewer},
};

/// How often an open stream looks for more. A training moves in seconds at the fastest.
const LOOKS: Duration = Duration::from_secs(1);

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
pub(super) struct TrainingEventPage {
    items: Vec<Event>,
    /// The `after` of the next page; null when this is the end of the log so far.
    next_cursor: Option<String>,
    /// The end of the log so far.
    last_seq: i64,
}

#[utoipa::path(get, path = "/api/v1/fine-tuning/jobs/{id}/events", operation_id = "list_training_events", tag = "fine-tuning", params(("id" = uuid::Uuid, Path), EventsQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "For streams: the seq after which to go on.")),
    responses((status = 200, description = "A page of the log; or a stream of it, with seq as the id of each frame.", content(
        (TrainingEventPage = "application/json"), (String = "text/event-stream"))), Problems))]
pub(super) async fn events(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<TrainingJobId>,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Answer<Response> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let streams = text(header::ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/event-stream"));
    let mut refused = Refusals::default();
    let limit = limit(&mut refused, query.limit);
    let last = text("last-event-id").filter(|_| streams).map(str::to_owned);
    let after: i64 = one(&mut refused, "after", last.or(query.after), "is not a seq").unwrap_or(0);
    if after < 0 {
        refused.add("after", "is not a seq");
    }
    refused.finish()?;
    let log = service::events(&app, &caller, id, after, limit).await?;
    if streams {
        let frames = frames(app, (*caller).clone(), id, after);
        return Ok(Sse::new(frames).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response());
    }
    let end = log.events.last().map_or(after, |event| event.seq);
    let next_cursor = (end < log.last_seq).then(|| end.to_string());
    Ok(Json(TrainingEventPage { items: log.events, next_cursor, last_seq: log.last_seq }).into_response())
}

/// All events after `after`, as they come. A host that cannot keep a connection open ends after what is there, or as much
/// of it as one answer holds; the client comes back with the last id.
fn frames(
    app: App,
    caller: Identity,
    id: TrainingJobId,
    mut after: i64,
) -> impl Stream<Item = Result<Frame, Infallible>> {
    async_stream::stream! {
        let mut room = MOST_IN_ONE_PIECE;
        yield Ok(Frame::default().retry(Duration::from_secs(1)));
        loop {
            let Ok(Log { events, last_seq }) = service::events(&app, &caller, id, after, 200).await else { break };
            for event in events {
                after = event.seq;
                let data = serde_json::to_string(&event).unwrap_or_default();
                room = room.saturating_sub(data.len());
                yield Ok(Frame::default().id(event.seq.to_string()).event(event.kind.clone()).data(data));
                if !app.settings.streams && room == 0 {
                    return;
                }
            }
            if after < last_seq {
                continue;
            }
            if !app.settings.streams {
                break;
            }
            tokio::time::sleep(LOOKS).await;
        }
    }
}
