//! Faults of a server, as they are asked for: each meets one call, and is then used up.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// The faults of a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is answered with this, and has no effect.
    Answer(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// It has no effect, and no answer.
    Hang,
    /// It has its effect, and the answer is lost.
    LoseAnswer,
}

impl Fault {
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), "{}")
    }
}

/// The faults that are still to come. Clones share them.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<(String, Fault)>>>);

impl Faults {
    /// The next call that this is the beginning of, such as `POST /v1/files`, meets the fault; behind a star stands how
    /// it ends.
    pub fn add(&self, call: &str, fault: Fault) {
        self.0.lock().expect("nobody panics with it").push((call.to_owned(), fault));
    }

    /// Nothing goes wrong any more.
    pub fn end(&self) {
        self.0.lock().expect("nobody panics with it").clear();
    }

    /// Whether every fault has met its call.
    pub fn are_used_up(&self) -> bool {
        self.0.lock().expect("nobody panics with it").is_empty()
    }

    fn take(&self, call: &str) -> Option<Fault> {
        let mut left = self.0.lock().expect("nobody panics with it");
        let at = left.iter().position(|(known, _)| {
            let (begins, ends) = known.split_once('*').unwrap_or((known, ""));
            call.starts_with(begins) && call.ends_with(ends)
        })?;
        Some(left.remove(at).1)
    }
}

/// A layer of a router that lets the faults happen.
pub async fn happen(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let call = format!("{} {}", request.method(), request.uri().path());
    match faults.take(&call) {
        None => next.run(request).await,
        Some(Fault::Hang) => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Some(Fault::LoseAnswer) => {
            next.run(request).await;
            StatusCode::BAD_GATEWAY.into_response()
        }
        Some(Fault::Answer(status, headers, body)) => {
            // A body that is not read would end the connection before its sender hears the answer.
            let _ = axum::body::to_bytes(request.into_body(), usize::MAX).await;
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            for (name, value) in headers {
                response.headers_mut().insert(HeaderName::from_static(name), value.parse().expect("a value"));
            }
            response
        }
    }
}
