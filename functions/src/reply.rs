//! What handlers answer with, beyond plain JSON.

use std::time::Duration;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::session::{store::Found, verbs::Progress};
use utoipa::ToSchema;

use crate::{sessions::view::SessionView, version::One};

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Items<T> {
    pub items: Vec<T>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

impl<T> Items<T> {
    /// A page of what was found, which is one more than fits where there is more; `cursor` says where the next begins.
    pub(crate) fn page(mut found: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > most;
        found.truncate(most);
        let next_cursor = found.last().filter(|_| more).map(cursor);
        Self { items: found, next_cursor }
    }

    /// A list that always fits one page.
    pub(crate) fn all(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// A session after a verb: 202 while the agent or the scheduler must act first, else 200.
pub(crate) struct After(pub SessionView, pub Progress);

impl IntoResponse for After {
    fn into_response(self) -> Response {
        let status = match self.1 {
            Progress::Done => StatusCode::OK,
            Progress::Accepted => StatusCode::ACCEPTED,
        };
        (status, One(self.0)).into_response()
    }
}

impl After {
    pub(crate) fn of(app: &shared::app::App, (found, progress): (Found, Progress)) -> Self {
        Self(SessionView::of(app, found), progress)
    }
}

/// How much a host that answers in one piece puts into an answer, in bytes. Lambda takes 6 MB, and a third is added to what
/// is not text.
pub(crate) const MOST_IN_ONE_PIECE: usize = 4_000_000;

/// How long a place of the file store is good that a caller is sent to.
pub(crate) const PLACE_VALID: Duration = Duration::from_mins(5);

/// Bytes to be kept as they are, never shown as a page.
pub(crate) fn download(mime_type: &str, name: &str, content: bytes::Bytes) -> Response {
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_str(mime_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, kind);
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{plain}\""));
    headers.insert(header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    (headers, content).into_response()
}
