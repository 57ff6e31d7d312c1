//! Calls of the API, and their responses.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::documented::assert_documented;

/// Somebody who calls the API with certain headers.
#[derive(Clone)]
pub struct Caller {
    pub(crate) api: Router,
    pub(crate) headers: Vec<(String, String)>,
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: bytes::Bytes,
    /// Whether it has the form of A2A, also where it is an error.
    pub speaks_a2a: bool,
}

impl Reply {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The `code` of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The body, of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }

    /// The problem, of an answer that must be one with this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if self.speaks_a2a {
            return crate::a2a::problem(self, kind.as_deref(), status, code);
        }
        let body = self.expect(status);
        assert_eq!(kind.as_deref(), Some("application/problem+json"), "{body}");
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        assert!(body["request_id"].is_string() && body["remedy"].is_string());
        body
    }
}

impl Caller {
    /// The same caller with another header, or another value of it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.retain(|(known, _)| known != name);
        headers.push((name.to_owned(), value.to_owned()));
        Self { api: self.api.clone(), headers }
    }

    /// The same caller without a header.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.retain(|(known, _)| known != name);
        Self { api: self.api.clone(), headers }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body.to_string().into_bytes())).await
    }

    /// A POST without a body.
    pub async fn act(&self, path: &str) -> Reply {
        self.send("POST", path, None).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send("PATCH", path, Some(body.to_string().into_bytes())).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Reply {
        let short = ["/sessions", "/fine-tuning"].iter().any(|start| path.starts_with(start));
        let path = if short { format!("/api/v1{path}") } else { path.to_owned() };
        let own =
            self.headers.iter().find(|(name, _)| name == "x-tenant-id").map_or("nobody", |(_, slug)| slug.as_str());
        let path = path.replace("{tenant}", own);
        let speaks_a2a = path.starts_with("/api/v1/a2a/") && !path.starts_with("/api/v1/a2a/push-notifications/");
        let mut request = Request::builder().method(method).uri(&path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if body.is_some() && !self.headers.iter().any(|(name, _)| name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from));
        let response = self.api.clone().oneshot(request.expect("a request")).await.expect("the router answers");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        assert_documented(method, &path, parts.status);
        Reply { status: parts.status, headers: parts.headers, bytes, speaks_a2a }
    }
}
