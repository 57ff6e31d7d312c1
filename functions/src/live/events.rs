//! `GET /live/events`: a topic of the live stream as a log or as Server-Sent Events, in the same order and with the
//! same cursors.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    events::stream::{Subscriber, Topic, message, service},
};
use utoipa::{IntoParams, ToSchema};

use super::{event_stream, topic_event::TopicEvent};
use crate::http::{
    problem::HandlerResult,
    query::parse_limit,
    request::{Query, StreamReader},
    response::{MAX_BUFFERED_RESPONSE, count_fitting},
    sse::{accepts_stream, last_event_id},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// The topic: `/ws/sessions` (default), `/ws/sessions/{id}`, `/ws/agents`, `/ws/fine-tuning` or `/ws/system`.
    topic: Option<String>,
    /// Return events after this cursor. Default: the beginning of the topic, and for a stream new events.
    after: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// A ticket of `POST /live/tickets`, in place of the Authorization header. It can be used once, within a minute.
    #[serde(rename = "ticket")]
    _ticket: Option<String>,
}

/// A part of a topic.
#[derive(Serialize, ToSchema)]
pub(super) struct TopicPage {
    /// The events, oldest first.
    items: Vec<TopicEvent>,
    /// The `after` of the next page; null at the end of the topic.
    next_cursor: Option<String>,
    /// The position up to which the page is complete. A subscription may start after it.
    cursor: String,
}

/// List events of a topic
///
/// Returns a page of a topic's events, oldest first, in the order and with the cursors of the live stream. With
/// `Accept: text/event-stream` new events are streamed as Server-Sent Events instead, with the cursor as the id of each
/// frame, so that a client that reconnects misses nothing. A browser that cannot send headers authenticates with a
/// ticket in the query.
#[utoipa::path(get, path = "/api/v1/live/events", operation_id = "list_live_events", tag = "live",
    params(LogQuery, ("Last-Event-ID" = Option<String>, Header, description = "For streams: the cursor of the last event received.")),
    responses((status = 200, description = "A page of events, or a stream of them.", content(
        (TopicPage = "application/json"), (TopicEvent = "text/event-stream")))))]
pub(super) async fn events(
    State(app): State<App>,
    caller: StreamReader,
    headers: HeaderMap,
    Query(query): Query<LogQuery>,
) -> HandlerResult<Response> {
    let mut refusals = shared::kernel::error::ValidationErrors::default();
    let limit = parse_limit(&mut refusals, query.limit);
    refusals.into_result()?;
    let topic = query.topic.map_or(Ok(Topic::Sessions), |topic| message::parse_topic(&topic))?;
    let after = query.after.map(|after| message::parse_cursor(&app.cursors, topic, &after)).transpose()?;
    let subscriber = Subscriber::from(&*caller);
    if accepts_stream(&headers) {
        // A browser gives up when its header is refused: one that is no cursor counts as none.
        let last = last_event_id(&headers).and_then(|text| app.cursors.read_cursor(topic, text));
        return event_stream::open(app, subscriber, topic, last.or(after)).await;
    }
    let page = service::read_topic_log(&app, &subscriber, topic, after, limit).await?;
    let items = page.events.into_iter().map(|event| TopicEvent::of(event, &app.cursors)).collect();
    Ok(Json(TopicPage::of(items, app.cursors.write_cursor(page.end), page.has_more)).into_response())
}

impl TopicPage {
    /// The events before `end`, as many as fit into a response.
    fn of(mut items: Vec<TopicEvent>, end: String, has_more: bool) -> Self {
        let fitting = count_fitting(&items, MAX_BUFFERED_RESPONSE);
        let is_cut = fitting < items.len();
        items.truncate(fitting);
        let cursor = items.last().filter(|_| is_cut).map_or(end, |last| last.cursor.clone());
        Self { next_cursor: (is_cut || has_more).then(|| cursor.clone()), items, cursor }
    }
}
