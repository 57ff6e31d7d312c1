//! The answer to a request, whole or as a stream of events, in the form that it was asked in.

use async_stream::try_stream;
use axum::{
    Json,
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse, Response},
};
use tokio::time::sleep;

use super::{
    Step,
    answer::{Answer, StreamPart},
    chat,
    conversation::{Conversation, Protocol},
    messages, responses, seconds,
};

/// Plays a step that is not an error.
pub(super) fn reply(conversation: &Conversation, step: &Step) -> Response {
    let answer = Answer::new(conversation, step);
    let protocol = conversation.protocol;
    if !conversation.stream {
        return Json(match protocol {
            Protocol::Chat => chat::whole(&answer),
            Protocol::Responses => responses::whole(&answer),
            Protocol::Messages => messages::whole(&answer),
        })
        .into_response();
    }
    let parts = match protocol {
        Protocol::Chat => chat::stream(&answer),
        Protocol::Responses => responses::stream(&answer),
        Protocol::Messages => messages::stream(&answer),
    };
    stream(parts, step)
}

fn stream(parts: Vec<StreamPart>, step: &Step) -> Response {
    let (pause, breaks) = (seconds(step.chunk_sleep), step.drop);
    let events = try_stream! {
        for part in parts {
            match part {
                StreamPart::Event(bytes) => yield bytes,
                StreamPart::Pause => sleep(pause).await,
                // An error of the body is what breaks a connection off.
                StreamPart::MayBreak if breaks => Err(std::io::Error::other("the script drops the connection"))?,
                StreamPart::MayBreak => {}
            }
        }
    };
    let events: std::pin::Pin<Box<dyn futures_util::Stream<Item = std::io::Result<Bytes>> + Send>> = Box::pin(events);
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")], Body::from_stream(events))
        .into_response()
}
