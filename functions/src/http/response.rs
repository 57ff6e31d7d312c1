//! Answers beyond plain JSON objects: pages of lists and downloads.

use std::{io::Write, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Items<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null on the last page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T: Serialize> Items<T> {
    /// The first `limit` rows of `found`, or fewer if they exceed the size of a response. If there are more, `cursor`
    /// names the position of the next page.
    pub(crate) fn page(found: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let fitting = i64::try_from(count_fitting(&found, MAX_BUFFERED_RESPONSE)).unwrap_or(i64::MAX);
        Self::rows(found, limit.min(fitting), cursor)
    }

    /// All of `found`, or as many as fit into a response.
    pub(crate) fn page_by_size(found: Vec<T>, cursor: impl FnOnce(&T) -> String) -> Self {
        Self::page(found, i64::MAX, cursor)
    }
}

impl<T> Items<T> {
    /// The first `limit` of rows whose size is bounded, like [`Items::page`].
    pub(crate) fn rows(mut found: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| has_more).map(cursor);
        Self { items: found, next_cursor }
    }

    /// The same page with its items in another form.
    pub(crate) fn map<U>(self, view: impl FnMut(T) -> U) -> Items<U> {
        Items { items: self.items.into_iter().map(view).collect(), next_cursor: self.next_cursor }
    }

    /// A list that always fits into one page.
    pub(crate) fn all(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// How many of the first items fit into `most` bytes as JSON, but at least one.
pub(crate) fn count_fitting<T: Serialize>(items: &[T], most: usize) -> usize {
    let mut size = 0;
    let fits = |item: &&T| {
        size += json_size(item) + 1;
        size <= most
    };
    items.iter().take_while(fits).count().max(1)
}

/// The length of a value as JSON, in bytes.
fn json_size(value: &impl Serialize) -> usize {
    struct Counter(usize);

    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // What cannot be written is reported when the response is.
    _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// The largest body of an answer, in bytes, on a host that does not stream. Lambda allows 6 MB, and binary data grows
/// there by a third.
pub(crate) const MAX_BUFFERED_RESPONSE: usize = 4_000_000;

/// How long a signed URL of the file store is valid.
pub(crate) const DOWNLOAD_URL_LIFETIME: Duration = Duration::from_mins(5);

/// Bytes to be saved as a file; browsers never show them as a page.
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

/// Binary content, in the OpenAPI document.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Binary(Vec<u8>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_before_it_is_too_large_but_holds_one_item_at_least() {
        let items = vec!["x".repeat(98); 10];
        assert_eq!(count_fitting(&items, 101 * 10), 10);
        assert_eq!(count_fitting(&items, 101 * 10 - 1), 9);
        assert_eq!(count_fitting(&items, 1), 1);
        let half = MAX_BUFFERED_RESPONSE / 2;
        let page = Items::page(vec!["x".repeat(half - 10); 3], 200, |_| "next".to_owned());
        assert_eq!((page.items.len(), page.next_cursor.as_deref()), (2, Some("next")));
        let page = Items::page(vec!["x".to_owned(); 3], 3, |_| "next".to_owned());
        assert_eq!((page.items.len(), page.next_cursor), (3, None));
    }
}
