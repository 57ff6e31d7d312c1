//! The headers that pass, in each direction. Everything else is discarded, above all credentials and cookies.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::provider::Credential;

/// Headers by which agents describe a request, or name a session so that the provider finds its cache again.
const TO_PROVIDER: [&str; 13] = [
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-type",
    "conversation_id",
    "idempotency-key",
    "openai-beta",
    "session_id",
    "user-agent",
    "x-app",
    "x-goog-api-client",
    "x-session-affinity",
    "x-session-id",
];

const TO_AGENT: [&str; 9] = [
    "cache-control",
    "content-encoding",
    "content-type",
    "openai-processing-ms",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "x-request-id",
    "x-should-retry",
];

const TO_AGENT_BEGINNINGS: [&str; 2] = ["anthropic-ratelimit-", "x-ratelimit-"];

/// The headers of the request to a provider, with its own credential. None if the key cannot stand in a header.
pub(super) fn make_request_headers(received: &HeaderMap, credential: &Credential) -> Option<HeaderMap> {
    let mut headers = select(received, |name| TO_PROVIDER.contains(&name));
    // A compressed stream arrives in blocks, and could not be metered.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let (name, value) = match credential {
        Credential::Bearer(key) => (header::AUTHORIZATION, format!("Bearer {}", key.reveal())),
        Credential::ApiKey(key) => (HeaderName::from_static("x-api-key"), key.reveal().to_owned()),
        Credential::GoogleKey(key) => (HeaderName::from_static("x-goog-api-key"), key.reveal().to_owned()),
        Credential::Absent => return Some(headers),
    };
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Some(headers)
}

/// The headers of the answer to the agent.
pub(super) fn make_answer_headers(received: &HeaderMap) -> HeaderMap {
    let begins = |name: &str| TO_AGENT_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
    select(received, |name| TO_AGENT.contains(&name) || begins(name))
}

fn select(received: &HeaderMap, is_allowed: impl Fn(&str) -> bool) -> HeaderMap {
    let allowed = received.iter().filter(|(name, _)| is_allowed(name.as_str()));
    let mut headers = HeaderMap::new();
    for (name, value) in allowed {
        headers.append(name.clone(), value.clone());
    }
    headers
}
