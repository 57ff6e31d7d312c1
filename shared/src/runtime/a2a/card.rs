//! The card of an agent: where and how it is called, and with what it is proved that we may.

use std::{sync::OnceLock, time::Duration};

use ::a2a::{AgentCard, AgentInterface, SecurityScheme, TRANSPORT_PROTOCOL_HTTP_JSON, TRANSPORT_PROTOCOL_JSONRPC};
use moka::sync::Cache;
use reqwest::{
    Method,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use serde_json::{Value, json};

use crate::{
    agent::{Contact, secret},
    auth::key::Pepper,
    outbound::{Allowed, Outbound, System},
    session::outcome::{Category, Failure},
};

use super::call;

/// How long a card is believed.
const KEPT: Duration = Duration::from_mins(5);
/// How many cards are kept.
const MOST: u64 = 1000;
/// Where a card lies below the URL of an agent that names none.
const WELL_KNOWN: &str = "/.well-known/agent-card.json";

/// An agent as it is to be called.
pub(super) struct Peer {
    pub outbound: Outbound,
    pub call_time: Duration,
    pub binding: Binding,
    /// Where its interface is.
    pub url: String,
    /// Its own word for whom it serves there.
    pub tenant: Option<String>,
    pub proof: Option<(HeaderName, HeaderValue)>,
    /// Whether it would ring our bell.
    pub pushes: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Binding {
    HttpJson,
    JsonRpc,
}

/// The cards that were fetched lately. They hold no secret, so all tenants share them.
pub(super) struct Cards {
    allowed: Allowed,
    call_time: Duration,
    outbound: OnceLock<Outbound>,
    known: Cache<String, AgentCard>,
}

impl Cards {
    pub(super) fn new(allowed: Allowed, call_time: Duration) -> Self {
        let known = Cache::builder().max_capacity(MOST).time_to_live(KEPT).build();
        Self { allowed, call_time, outbound: OnceLock::new(), known }
    }

    /// How to call an agent.
    pub(super) async fn peer(&self, agent: &Contact, pepper: &Pepper) -> Result<Peer, Failure> {
        let outbound = self.outbound()?;
        let url = agent.endpoint_url.as_deref().ok_or_else(|| unusable("The agent has no endpoint_url."))?;
        let card = self.card(&outbound, &place(url)).await?;
        let interface = choose(&card)
            .ok_or_else(|| unusable("The agent's card names no interface of A2A 1.0 by HTTP+JSON or JSON-RPC."))?;
        let plain = agent.endpoint_secret.as_deref().map(|sealed| secret::open(pepper, agent.id, sealed));
        let plain =
            plain.transpose().map_err(|error| Failure::new(Category::Internal, "SECRET_UNREADABLE", error.detail()))?;
        Ok(Peer {
            outbound,
            call_time: self.call_time,
            binding: binding(interface).unwrap_or(Binding::HttpJson),
            url: interface.url.clone(),
            tenant: interface.tenant.clone().filter(|tenant| !tenant.is_empty()),
            proof: plain.map(|plain| proof(&card, &plain)).transpose()?,
            pushes: card.capabilities.push_notifications == Some(true),
        })
    }

    fn outbound(&self) -> Result<Outbound, Failure> {
        if let Some(made) = self.outbound.get() {
            return Ok(made.clone());
        }
        let made = Outbound::new(self.allowed.clone(), std::sync::Arc::new(System))
            .map_err(|error| Failure::new(Category::Internal, "NO_CLIENT", error.detail()))?;
        Ok(self.outbound.get_or_init(|| made).clone())
    }

    async fn card(&self, outbound: &Outbound, url: &str) -> Result<AgentCard, Failure> {
        if let Some(card) = self.known.get(url) {
            return Ok(card);
        }
        let request = outbound.request(Method::GET, url).map_err(|why| closed(url, why))?;
        let (status, body) = call::send(request.timeout(self.call_time)).await?;
        if !status.is_success() {
            return Err(call::refused(status, "The agent's card cannot be had"));
        }
        let card =
            read(&body).ok_or_else(|| unusable("What lies at the agent's endpoint_url is no card of A2A 1.0."))?;
        self.known.insert(url.to_owned(), card.clone());
        Ok(card)
    }
}

pub(super) fn closed(url: &str, why: &str) -> Failure {
    Failure::new(Category::Policy, "URL_REFUSED", format!("The URL {url} {why}."))
}

fn unusable(why: &str) -> Failure {
    Failure::new(Category::Agent, "CARD_UNUSABLE", why)
}

/// The URL of the card: the one given, or the usual place below it.
fn place(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let is_card = std::path::Path::new(path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    if is_card { url.to_owned() } else { format!("{}{WELL_KNOWN}", path.trim_end_matches('/')) }
}

/// Reads a card. Who writes protobuf's JSON leaves out what is empty.
fn read(body: &[u8]) -> Option<AgentCard> {
    let mut card: Value = serde_json::from_slice(body).ok()?;
    let map = card.as_object_mut()?;
    for (name, empty) in [("name", json!("")), ("version", json!("")), ("capabilities", json!({}))] {
        map.entry(name).or_insert(empty);
    }
    // What is not needed to call the agent cannot make its card unreadable.
    for name in ["skills", "provider", "signatures"] {
        map.remove(name);
    }
    serde_json::from_value(card).ok()
}

/// The first interface that we speak; the agent has put them into its order.
fn choose(card: &AgentCard) -> Option<&AgentInterface> {
    let spoken = |one: &&AgentInterface| binding(one).is_some() && one.protocol_version.split('.').next() == Some("1");
    card.supported_interfaces.iter().find(spoken)
}

fn binding(interface: &AgentInterface) -> Option<Binding> {
    let named = |known: &str| interface.protocol_binding.eq_ignore_ascii_case(known);
    if named(TRANSPORT_PROTOCOL_HTTP_JSON) {
        Some(Binding::HttpJson)
    } else {
        named(TRANSPORT_PROTOCOL_JSONRPC).then_some(Binding::JsonRpc)
    }
}

/// The header that the card asks for. A card that asks for nothing is sent a bearer token.
fn proof(card: &AgentCard, secret: &[u8]) -> Result<(HeaderName, HeaderValue), Failure> {
    let secret = std::str::from_utf8(secret).map_err(|_| unusable("The agent's secret is no text."))?.trim();
    let schemes = card.security_schemes.as_ref();
    let mut wanted: Vec<_> = card.security_requirements.iter().flatten().flat_map(|one| one.keys()).collect();
    wanted.sort();
    let mut offered: Vec<_> = schemes.into_iter().flatten().collect();
    offered.sort_by_key(|(name, _)| *name);
    let asked =
        offered.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)).map(|(_, scheme)| *scheme);
    let known = asked.clone().find_map(|scheme| header(scheme, secret));
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
    let mut value = HeaderValue::from_str(&value).map_err(|_| unusable("The agent's secret fits no header."))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// How a scheme wants the secret: `None` = it is none of ours, `Some(None)` = it is, but its header cannot be sent.
fn header(scheme: &SecurityScheme, secret: &str) -> Option<Option<(HeaderName, String)>> {
    let bearer = || Some((AUTHORIZATION, format!("Bearer {secret}")));
    match scheme {
        SecurityScheme::HttpAuth(http) if http.scheme.eq_ignore_ascii_case("bearer") => Some(bearer()),
        SecurityScheme::OAuth2(_) | SecurityScheme::OpenIdConnect(_) => Some(bearer()),
        SecurityScheme::ApiKey(key) if key.location.eq_ignore_ascii_case("header") => {
            let name = HeaderName::from_bytes(key.name.as_bytes()).ok().filter(|name| !shapes_the_call(name));
            Some(name.map(|name| (name, secret.to_owned())))
        }
        _ => None,
    }
}

/// Headers that say how a call is read; a card has no say in them.
fn shapes_the_call(name: &HeaderName) -> bool {
    ["connection", "content-length", "content-type", "host", "te", "trailer", "transfer-encoding", "upgrade"]
        .contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(change: &Value) -> AgentCard {
        let mut card = json!({"name": "One", "version": "1", "capabilities": {}, "supportedInterfaces": [
            {"url": "https://a.example/grpc", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
            {"url": "https://a.example/old", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
            {"url": "https://a.example/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
            {"url": "https://a.example/rest", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
        ]});
        card.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        read(card.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_first_interface_that_we_speak_is_chosen() {
        assert_eq!(choose(&card(&json!({}))).unwrap().url, "https://a.example/rpc");
        assert!(choose(&card(&json!({"supportedInterfaces": []}))).is_none());
    }

    #[test]
    fn a_card_lies_where_it_is_said_or_at_the_usual_place() {
        assert_eq!(place("https://a.example/x/card.json"), "https://a.example/x/card.json");
        assert_eq!(place("https://a.example/x/"), "https://a.example/x/.well-known/agent-card.json");
    }

    #[test]
    fn the_secret_is_sent_as_the_card_asks() {
        let sent = |change: Value| {
            let (name, value) = proof(&card(&change), b"hush").ok()?;
            Some((name.to_string(), value.to_str().unwrap().to_owned()))
        };
        let bearer = Some(("authorization".to_owned(), "Bearer hush".to_owned()));
        assert_eq!(sent(json!({})), bearer);
        assert_eq!(sent(json!({"securitySchemes": {"a": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}}})), bearer);
        let key = json!({"apiKeySecurityScheme": {"location": "header", "name": "X-Key"}});
        let mtls = json!({"mtlsSecurityScheme": {}});
        let both = json!({"securitySchemes": {"a": mtls, "b": key},
            "securityRequirements": [{"schemes": {"b": {"list": []}}}]});
        assert_eq!(sent(both), Some(("x-key".to_owned(), "hush".to_owned())));
        assert_eq!(sent(json!({"securitySchemes": {"a": mtls}})), None);
        let host = json!({"apiKeySecurityScheme": {"location": "header", "name": "Host"}});
        assert_eq!(sent(json!({"securitySchemes": {"a": host}})), None);
    }
}
