//! A topic of the live stream as Server-Sent Events.

use std::convert::Infallible;

use axum::response::{Response, sse::Event as SseFrame};
use futures_util::Stream;
use serde_json::json;
use shared::{
    app::App,
    events::stream::{
        Subscriber, Topic,
        cursor::{Cursor, CursorCipher},
        frame::resync_frame,
        hub::feed::{FeedItem, TopicFeed},
        service::{self, StreamStart, find_start},
    },
};

use super::topic_event::TopicEvent;
use crate::http::{
    problem::HandlerResult,
    sse::{self, StreamEnd},
};

/// How many events a host that keeps no stream open answers with.
const PAGE: i64 = 200;

/// Streams the events after a cursor, by default new ones. If the cursor cannot be used, the first frame says so, and
/// new events follow.
pub(super) async fn open(
    app: App,
    subscriber: Subscriber,
    topic: Topic,
    after: Option<Cursor>,
) -> HandlerResult<Response> {
    subscriber.check_topic_access(topic)?;
    let start = find_start(&app, &subscriber, topic, after).await?;
    let beginning = beginning(&app, topic, start);
    let Some(hub) = app.backend.hub().filter(|_| app.settings.streams) else {
        let page = service::read_topic_log(&app, &subscriber, topic, Some(start.cursor), PAGE).await?;
        let events = page.events.into_iter().map(|event| frame_of(&TopicEvent::of(event, &app.cursors)));
        let frames: Vec<_> = beginning.into_iter().chain(events).map(Ok).collect();
        return Ok(sse::respond(futures_util::stream::iter(frames)));
    };
    let feed = hub.follow(&app, subscriber, (topic, start.cursor), app.stream_limits)?;
    Ok(sse::respond(follow(beginning, feed, app.cursors.clone())))
}

/// The first frames: the pause before a client reconnects, the position, and why it is not the wanted one.
fn beginning(app: &App, topic: Topic, start: StreamStart) -> Vec<SseFrame> {
    // Without data it is no event, but a client that reconnects continues from it.
    let mut frames = vec![sse::first_frame().id(app.cursors.write_cursor(start.cursor))];
    if let Some(reason) = start.resync {
        let text = resync_frame(topic, reason, None, app.clock.now());
        frames.push(SseFrame::default().event("resync").data(text));
    }
    frames
}

fn follow(
    beginning: Vec<SseFrame>,
    mut feed: TopicFeed,
    cursors: CursorCipher,
) -> impl Stream<Item = Result<SseFrame, Infallible>> {
    async_stream::stream! {
        for frame in beginning {
            yield Ok(frame);
        }
        loop {
            match feed.next().await {
                FeedItem::Event(event) => yield Ok(frame_of(&TopicEvent::of((*event).clone(), &cursors))),
                FeedItem::Closed(why) => {
                    yield Ok(StreamEnd::from(why).frame());
                    break;
                }
            }
        }
    }
}

fn frame_of(event: &TopicEvent) -> SseFrame {
    sse::event_frame(event.cursor.clone(), &event.kind, &json!(event))
}
