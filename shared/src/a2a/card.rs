//! The agent card of a tenant: public and equal for all clients. Pure.

use std::collections::HashMap;

use ::a2a::{
    AgentCapabilities, AgentCard, AgentInterface, AgentSkill, HttpAuthSecurityScheme, SecurityScheme,
    TRANSPORT_PROTOCOL_HTTP_JSON, TRANSPORT_PROTOCOL_JSONRPC,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The path below which all A2A agents are.
pub const BASE: &str = "/api/v1/a2a";

/// The card of the agent at this base URL, such as `https://ioc.example.com/api/v1/a2a/acme`.
pub fn agent_card(url: &str, slug: &str, streams: bool) -> AgentCard {
    let scheme = HttpAuthSecurityScheme {
        scheme: "Bearer".to_owned(),
        description: Some("An API key of the tenant, or a token of an issuer that it trusts.".to_owned()),
        bearer_format: None,
    };
    AgentCard {
        name: format!("ioc {slug}"),
        description: "Autonomous coding sessions: a task is a session, worked on by an agent of the tenant.".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        supported_interfaces: vec![
            AgentInterface::new(url, TRANSPORT_PROTOCOL_HTTP_JSON),
            AgentInterface::new(url, TRANSPORT_PROTOCOL_JSONRPC),
        ],
        capabilities: AgentCapabilities {
            streaming: Some(streams),
            push_notifications: Some(false),
            extensions: None,
            extended_agent_card: Some(false),
        },
        default_input_modes: ["text/plain", "application/json"].map(str::to_owned).to_vec(),
        default_output_modes: vec![
            "text/plain".to_owned(),
            "application/json".to_owned(),
            "text/x-diff".to_owned(),
            "application/octet-stream".to_owned(),
        ],
        skills: vec![coding_skill()],
        provider: None,
        documentation_url: None,
        icon_url: None,
        security_schemes: Some(HashMap::from([("bearer".to_owned(), SecurityScheme::HttpAuth(scheme))])),
        security_requirements: Some(vec![HashMap::from([("bearer".to_owned(), Vec::new())])]),
        signatures: None,
    }
}

/// The version of a card, as HTTP names it: equal cards have the same.
pub fn entity_tag(card: &Value) -> String {
    format!("\"{}\"", &hex::encode(Sha256::digest(card.to_string()))[..16])
}

fn coding_skill() -> AgentSkill {
    AgentSkill {
        id: "coding-session".to_owned(),
        name: "Coding session".to_owned(),
        description: "Works on a prompt until it is done, asks where it must, and answers with a patch and files."
            .to_owned(),
        tags: ["coding", "review", "debugging", "planning"].map(str::to_owned).to_vec(),
        examples: Some(vec!["Make the tests of the parser pass.".to_owned()]),
        input_modes: None,
        output_modes: None,
        security_requirements: None,
    }
}
