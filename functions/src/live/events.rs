//! `GET /live/events`: a topic of the live stream as a log, in the same order and with the same cursors.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    auth::Actor,
    clock::Time,
    id::{EventId, SessionId},
    live::{Topic, Who, frame::Item, message, service},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    problem::{Answer, Problems},
    query::limit,
    request::{Caller, Query, Viewer},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// `/ws/sessions`, which it is when absent, `/ws/sessions/{id}`, `/ws/agents`, `/ws/tuning` or `/ws/system`.
    topic: Option<String>,
    /// Only what came after this cursor. From the beginning of what is kept when absent.
    after: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// One event of a topic.
#[derive(Serialize, ToSchema)]
pub(super) struct TopicEvent {
    id: EventId,
    /// Such as `session.status_changed` or `agent.registered`.
    #[serde(rename = "type")]
    kind: String,
    /// Of a session's event.
    session_id: Option<SessionId>,
    /// Of a session's event: its number in the session's log.
    seq: Option<i64>,
    actor: Actor,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    #[schema(value_type = Object)]
    payload: serde_json::Value,
    /// Its place in the topic.
    cursor: String,
}

/// A stretch of a topic.
#[derive(Serialize, ToSchema)]
pub(super) struct TopicPage {
    items: Vec<TopicEvent>,
    /// The `after` of the next page; null when this is the end of the log so far.
    next_cursor: Option<String>,
    /// Up to where this page tells all: subscribe after it.
    cursor: String,
}

#[utoipa::path(get, path = "/api/v1/live/events", operation_id = "list_live_events", tag = "live", params(LogQuery),
    responses((status = 200, description = "A page of the topic's events, oldest first.", body = TopicPage), Problems))]
pub(super) async fn events(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<LogQuery>,
) -> Answer<Json<TopicPage>> {
    let mut refusals = shared::error::Refusals::default();
    let limit = limit(&mut refusals, query.limit);
    refusals.finish()?;
    let topic = query.topic.map_or(Ok(Topic::Sessions), |topic| message::topic(&topic))?;
    let after = query.after.map(|after| message::after(topic, &after)).transpose()?;
    let page = service::log(&app, &Who::from(&*caller), topic, after, limit).await?;
    let cursor = page.end.to_string();
    let next_cursor = page.more.then(|| cursor.clone());
    Ok(Json(TopicPage { items: page.items.into_iter().map(TopicEvent::from).collect(), next_cursor, cursor }))
}

impl From<Item> for TopicEvent {
    fn from(item: Item) -> Self {
        Self {
            id: item.id,
            kind: item.kind,
            session_id: item.session_id,
            seq: item.seq,
            actor: item.actor,
            at: item.at,
            payload: item.payload,
            cursor: item.cursor.to_string(),
        }
    }
}
