//! The files of the server.

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Held, Paging, Uploaded, now, page, refusal};

impl Uploaded {
    fn view(&self) -> Value {
        json!({"id": self.id, "object": "file", "bytes": self.content.len(), "created_at": self.created_at,
            "filename": self.name, "purpose": "fine-tune", "status": "processed"})
    }
}

pub(super) async fn list(State(kept): Held, Query(paging): Query<Paging>) -> Response {
    let kept = kept.lock().expect("nobody panics with it");
    page(kept.files.iter().map(Uploaded::view), &paging)
}

pub(super) async fn upload(State(kept): Held, headers: HeaderMap, body: Bytes) -> Response {
    let form = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(boundary) = form.strip_prefix("multipart/form-data; boundary=") else {
        return refusal(StatusCode::BAD_REQUEST, "invalid_form", "Not a form.");
    };
    if !headers.contains_key(header::CONTENT_LENGTH) {
        return refusal(StatusCode::LENGTH_REQUIRED, "no_length", "How long is it?");
    }
    let parts = parts(&body, boundary);
    let purpose = parts.iter().find(|(head, _)| head.contains("name=\"purpose\""));
    let file = parts.iter().find(|(head, _)| head.contains("name=\"file\""));
    let (Some((_, b"fine-tune")), Some((head, content))) = (purpose, file) else {
        return refusal(StatusCode::BAD_REQUEST, "invalid_form", "A file and its purpose are needed.");
    };
    let name = head.split("filename=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let mut kept = kept.lock().expect("nobody panics with it");
    let file = Uploaded { id: kept.id("file"), name: name.to_owned(), content: content.to_vec(), created_at: now() };
    let view = file.view();
    kept.files.push(file);
    Json(view).into_response()
}

/// The parts of a form: their heads and contents.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<(String, &'a [u8])> {
    let line = format!("--{boundary}");
    let mut ends: Vec<usize> = Vec::new();
    ends.extend(body.windows(line.len()).enumerate().filter(|(_, at)| *at == line.as_bytes()).map(|(at, _)| at));
    let between = ends.windows(2).map(|pair| &body[pair[0] + line.len() + 2..pair[1] - 2]);
    between
        .filter_map(|part| {
            let head = part.windows(4).position(|at| at == b"\r\n\r\n")?;
            Some((String::from_utf8_lossy(&part[..head]).into_owned(), &part[head + 4..]))
        })
        .collect()
}
