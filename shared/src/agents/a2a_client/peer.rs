//! An agent as it is called: its interface, its binding, and the credential that proves our identity to it.

use std::time::Duration;

use ::a2a::{AgentCard, SecurityScheme};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::{
    kernel::failure::{Category, Failure},
    platform::http_client::Outbound,
};

/// An agent with everything that a call to it needs.
pub(super) struct Peer {
    pub outbound: Outbound,
    pub call_timeout: Duration,
    pub binding: Binding,
    /// The URL of its interface.
    pub url: String,
    /// The tenant that the interface names, sent back with each call.
    pub tenant: Option<String>,
    pub credential: Option<(HeaderName, HeaderValue)>,
    /// Whether it supports push notifications.
    pub supports_push: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Binding {
    HttpJson,
    JsonRpc,
}

pub(super) fn url_refused(url: &str, why: &str) -> Failure {
    Failure::new(Category::Policy, "URL_REFUSED", format!("The URL {url} {why}."))
}

pub(super) fn unusable_card(why: &str) -> Failure {
    Failure::new(Category::Agent, "CARD_UNUSABLE", why)
}

/// The authentication header that the card requires. If it requires none, the secret is sent as a bearer token.
pub(super) fn credential_header(card: &AgentCard, secret: &[u8]) -> Result<(HeaderName, HeaderValue), Failure> {
    let secret = std::str::from_utf8(secret).map_err(|_| unusable_card("The agent's secret is no text."))?.trim();
    let schemes = card.security_schemes.as_ref();
    let mut wanted: Vec<_> = card.security_requirements.iter().flatten().flat_map(|one| one.keys()).collect();
    wanted.sort();
    let mut offered: Vec<_> = schemes.into_iter().flatten().collect();
    offered.sort_by_key(|(name, _)| *name);
    let asked =
        offered.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)).map(|(_, scheme)| *scheme);
    let known = asked.clone().find_map(|scheme| scheme_header(scheme, secret));
    let header = match known {
        Some(header) => header,
        None if asked.count() == 0 => Some((AUTHORIZATION, format!("Bearer {secret}"))),
        None => None,
    };
    let (name, value) = header.ok_or_else(|| {
        let why =
            "The agent's card asks for a credential that we cannot send: only bearer tokens and API keys in a header.";
        Failure::new(Category::Auth, "SCHEME_UNKNOWN", why)
    })?;
    let mut value = HeaderValue::from_str(&value).map_err(|_| unusable_card("The agent's secret fits no header."))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The header for a security scheme. `None` if the scheme is not supported, `Some(None)` if its header may not be set.
fn scheme_header(scheme: &SecurityScheme, secret: &str) -> Option<Option<(HeaderName, String)>> {
    let bearer = || Some((AUTHORIZATION, format!("Bearer {secret}")));
    match scheme {
        SecurityScheme::HttpAuth(http) if http.scheme.eq_ignore_ascii_case("bearer") => Some(bearer()),
        SecurityScheme::OAuth2(_) | SecurityScheme::OpenIdConnect(_) => Some(bearer()),
        SecurityScheme::ApiKey(key) if key.location.eq_ignore_ascii_case("header") => {
            let name = HeaderName::from_bytes(key.name.as_bytes()).ok().filter(|name| !is_reserved_header(name));
            Some(name.map(|name| (name, secret.to_owned())))
        }
        _ => None,
    }
}

/// Headers that control how a request is read, which a card may not set.
fn is_reserved_header(name: &HeaderName) -> bool {
    ["connection", "content-length", "content-type", "host", "te", "trailer", "transfer-encoding", "upgrade"]
        .contains(&name.as_str())
}
