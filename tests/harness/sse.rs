//! Reading a `text/event-stream` frame by frame.

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::{Caller, PATIENCE};

/// An open stream of events.
pub struct Stream {
    body: Body,
    text: String,
    pub headers: HeaderMap,
}

/// One event as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub id: usize,
    pub event: String,
    pub data: Value,
}

/// Whatever came: an event, a position, or why the stream ends.
#[derive(Clone, Debug, PartialEq)]
pub struct RawFrame {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: Option<Value>,
}

impl Caller {
    /// Opens the stream of a session's events.
    pub async fn stream(&self, id: &str) -> Stream {
        self.stream_of(&format!("/api/v1/sessions/{id}")).await
    }

    /// Opens the stream of the events of what stands at a path.
    pub async fn stream_of(&self, path: &str) -> Stream {
        self.open_stream("GET", &format!("{path}/events"), None).await
    }

    /// Opens the stream that answers a request.
    pub async fn open_stream(&self, method: &str, path: &str, body: Option<Value>) -> Stream {
        let mut request = Request::builder().method(method).uri(path).header(header::ACCEPT, "text/event-stream");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body).expect("a request");
        let response = self.api.clone().oneshot(request).await;
        let (parts, body) = response.expect("the router answers").into_parts();
        assert_eq!(parts.status, StatusCode::OK, "{method} {path}");
        assert_eq!(parts.headers[header::CONTENT_TYPE], "text/event-stream");
        Stream { body, text: String::new(), headers: parts.headers }
    }
}

impl Stream {
    /// The next event; none when the stream has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            let RawFrame { id, event, data } = self.next_raw().await?;
            // A frame without an id is a setting, or says why the stream ends.
            if let (Some(id), Some(event), Some(data)) = (id, event, data) {
                return Some(Frame { id: id.parse().expect("a seq"), event, data });
            }
        }
    }

    /// The next frame that is no comment; none when the stream has ended.
    pub async fn next_raw(&mut self) -> Option<RawFrame> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (parse(frame), rest.to_owned());
                self.text = rest;
                if frame.id.is_some() || frame.data.is_some() {
                    return Some(frame);
                }
            }
            let waited = tokio::time::timeout_at(deadline, self.body.frame()).await;
            let frame = waited.expect("an event comes")?.expect("the stream goes on");
            let bytes = frame.into_data().unwrap_or_default();
            self.text.push_str(std::str::from_utf8(&bytes).expect("frames end between characters"));
        }
    }

    /// Reads on to the end, and says why the stream ended.
    pub async fn end_reason(&mut self) -> Option<String> {
        let mut reason = None;
        while let Some(frame) = self.next_raw().await {
            if frame.event.as_deref() == Some("stream.ended") {
                reason = frame.data.and_then(|data| data["reason"].as_str().map(str::to_owned));
            }
        }
        reason
    }

    /// Reads until this state is reported.
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

fn parse(text: &str) -> RawFrame {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim().to_owned());
    RawFrame {
        id: field("id:"),
        event: field("event:"),
        data: field("data:").map(|data| serde_json::from_str(&data).expect("JSON")),
    }
}
