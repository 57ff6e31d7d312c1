//! Reading a `text/event-stream` frame by frame.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::{Caller, PATIENCE};

/// An open stream of events.
pub struct Stream {
    body: Body,
    text: String,
}

/// One event as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub id: usize,
    pub event: String,
    pub data: Value,
}

impl Caller {
    /// Opens the stream of a session's events.
    pub async fn stream(&self, id: &str) -> Stream {
        self.stream_of(&format!("/api/v1/sessions/{id}")).await
    }

    /// Opens the stream of the events of what stands at a path.
    pub async fn stream_of(&self, path: &str) -> Stream {
        let mut request = Request::get(format!("{path}/events")).header(header::ACCEPT, "text/event-stream");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = self.api.clone().oneshot(request.body(Body::empty()).expect("a request")).await;
        let (parts, body) = response.expect("the router answers").into_parts();
        assert_eq!(parts.status, StatusCode::OK);
        assert_eq!(parts.headers[header::CONTENT_TYPE], "text/event-stream");
        Stream { body, text: String::new() }
    }
}

impl Stream {
    /// The next event; none when the stream has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            while let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (parse(frame), rest.to_owned());
                self.text = rest;
                if frame.is_some() {
                    return frame;
                }
            }
            let waited = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let frame = waited.expect("an event comes")?.expect("the stream goes on");
            let bytes = frame.into_data().unwrap_or_default();
            self.text.push_str(std::str::from_utf8(&bytes).expect("frames end between characters"));
        }
    }

    /// Reads on until this state is told.
    pub async fn until(&mut self, state: &str) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            let there = frame.event == "session.status_changed" && frame.data["payload"]["to"] == state;
            frames.push(frame);
            if there {
                break;
            }
        }
        frames
    }
}

/// A frame without an id is a comment or a setting.
fn parse(text: &str) -> Option<Frame> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some(Frame {
        id: field("id:")?.parse().expect("a seq"),
        event: field("event:")?.to_owned(),
        data: serde_json::from_str(field("data:")?).expect("JSON"),
    })
}
