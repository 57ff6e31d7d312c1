//! Agent cards: fetching, caching, and choosing an interface.

use std::{sync::OnceLock, time::Duration};

use ::a2a::{AgentCard, AgentInterface, TRANSPORT_PROTOCOL_HTTP_JSON, TRANSPORT_PROTOCOL_JSONRPC};
use moka::sync::Cache;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    agents::registry::{AgentEndpoint, secret},
    kernel::{
        encryption::Pepper,
        failure::{Category, Failure},
    },
    platform::http_client::{AllowedDestinations, Outbound, System},
};

use super::{
    call,
    peer::{Binding, Peer, credential_header, unusable_card, url_refused},
};

/// How long a card is cached.
const CARD_TTL: Duration = Duration::from_mins(5);
/// The most cards in the cache.
const MAX_CARDS: u64 = 1000;
/// The path of the card below an endpoint URL that does not name one.
const WELL_KNOWN: &str = "/.well-known/agent-card.json";

/// The cache of agent cards. Cards hold no secret, so tenants share them.
pub(super) struct CardCache {
    allowed: AllowedDestinations,
    call_timeout: Duration,
    outbound: OnceLock<Outbound>,
    known: Cache<String, AgentCard>,
}

impl CardCache {
    pub(super) fn new(allowed: AllowedDestinations, call_timeout: Duration) -> Self {
        let known = Cache::builder().max_capacity(MAX_CARDS).time_to_live(CARD_TTL).build();
        Self { allowed, call_timeout, outbound: OnceLock::new(), known }
    }

    /// Fetches the card and chooses the interface and the credential.
    pub(super) async fn find_peer(&self, agent: &AgentEndpoint, pepper: &Pepper) -> Result<Peer, Failure> {
        let outbound = self.outbound()?;
        let url = agent.endpoint_url.as_deref().ok_or_else(|| unusable_card("The agent has no endpoint_url."))?;
        let card = self.fetch_card(&outbound, &card_url(url)).await?;
        let interface = choose_interface(&card).ok_or_else(no_interface)?;
        let plain = agent.endpoint_secret.as_deref().map(|sealed| secret::open_secret(pepper, agent.id, sealed));
        let plain =
            plain.transpose().map_err(|error| Failure::new(Category::Internal, "SECRET_UNREADABLE", error.detail()))?;
        Ok(Peer {
            outbound,
            call_timeout: self.call_timeout,
            binding: interface_binding(interface).unwrap_or(Binding::HttpJson),
            url: interface.url.clone(),
            tenant: interface.tenant.clone().filter(|tenant| !tenant.is_empty()),
            credential: plain.map(|plain| credential_header(&card, &plain)).transpose()?,
            supports_push: card.capabilities.push_notifications == Some(true),
        })
    }

    /// Fetches the card anew, and asks the interface that it names for any answer.
    pub(super) async fn probe_agent(&self, agent: &AgentEndpoint) -> Result<(), Failure> {
        let outbound = self.outbound()?;
        let url = agent.endpoint_url.as_deref().ok_or_else(|| unusable_card("The agent has no endpoint_url."))?;
        self.known.invalidate(&card_url(url));
        let card = self.fetch_card(&outbound, &card_url(url)).await?;
        let interface = choose_interface(&card).ok_or_else(no_interface)?;
        let request = outbound.request(Method::GET, &interface.url).map_err(|why| url_refused(&interface.url, why))?;
        // Any answer will do, an error too: the interface takes other methods.
        call::send_request(request.timeout(self.call_timeout)).await.map(drop)
    }

    fn outbound(&self) -> Result<Outbound, Failure> {
        if let Some(made) = self.outbound.get() {
            return Ok(made.clone());
        }
        let made = Outbound::new(self.allowed.clone(), std::sync::Arc::new(System))
            .map_err(|error| Failure::new(Category::Internal, "NO_CLIENT", error.detail()))?;
        Ok(self.outbound.get_or_init(|| made).clone())
    }

    async fn fetch_card(&self, outbound: &Outbound, url: &str) -> Result<AgentCard, Failure> {
        if let Some(card) = self.known.get(url) {
            return Ok(card);
        }
        let request = outbound.request(Method::GET, url).map_err(|why| url_refused(url, why))?;
        let (status, body) = call::send_request(request.timeout(self.call_timeout)).await?;
        if !status.is_success() {
            return Err(call::http_failure(status, "The agent's card cannot be fetched"));
        }
        let card = parse_card(&body)
            .ok_or_else(|| unusable_card("The document at the agent's endpoint_url is not an A2A 1.0 card."))?;
        self.known.insert(url.to_owned(), card.clone());
        Ok(card)
    }
}

fn no_interface() -> Failure {
    unusable_card("The agent's card names no interface of A2A 1.0 by HTTP+JSON or JSON-RPC.")
}

/// The URL of the card: the endpoint URL itself if it names a JSON file, else the well-known path below it.
fn card_url(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let is_card = std::path::Path::new(path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    if is_card { url.to_owned() } else { format!("{}{WELL_KNOWN}", path.trim_end_matches('/')) }
}

/// Parses a card. Protobuf's JSON omits fields that are empty.
fn parse_card(body: &[u8]) -> Option<AgentCard> {
    let mut card: Value = serde_json::from_slice(body).ok()?;
    let map = card.as_object_mut()?;
    for (name, empty) in [("name", json!("")), ("version", json!("")), ("capabilities", json!({}))] {
        map.entry(name).or_insert(empty);
    }
    // Fields that calls do not need must not make the card unreadable.
    for name in ["skills", "provider", "signatures"] {
        map.remove(name);
    }
    serde_json::from_value(card).ok()
}

/// The first supported interface. The agent lists them in order of preference.
fn choose_interface(card: &AgentCard) -> Option<&AgentInterface> {
    let spoken =
        |one: &&AgentInterface| interface_binding(one).is_some() && one.protocol_version.split('.').next() == Some("1");
    card.supported_interfaces.iter().find(spoken)
}

fn interface_binding(interface: &AgentInterface) -> Option<Binding> {
    let named = |known: &str| interface.protocol_binding.eq_ignore_ascii_case(known);
    if named(TRANSPORT_PROTOCOL_HTTP_JSON) {
        Some(Binding::HttpJson)
    } else {
        named(TRANSPORT_PROTOCOL_JSONRPC).then_some(Binding::JsonRpc)
    }
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
        parse_card(card.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_first_interface_that_we_speak_is_chosen() {
        assert_eq!(choose_interface(&card(&json!({}))).unwrap().url, "https://a.example/rpc");
        assert!(choose_interface(&card(&json!({"supportedInterfaces": []}))).is_none());
    }

    #[test]
    fn a_card_lies_where_it_is_said_or_at_the_usual_place() {
        assert_eq!(card_url("https://a.example/x/card.json"), "https://a.example/x/card.json");
        assert_eq!(card_url("https://a.example/x/"), "https://a.example/x/.well-known/agent-card.json");
    }

    #[test]
    fn the_secret_is_sent_as_the_card_asks() {
        let sent = |change: Value| {
            let (name, value) = credential_header(&card(&change), b"hush").ok()?;
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
