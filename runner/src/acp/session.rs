//! An agent's description of itself, of its sessions and of the ends of its turns.

use serde::Serialize;
use serde_json::Value;

/// An agent's description of itself, from its answer to `initialize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether a session of an earlier process can go on without its history being sent again.
    pub can_resume: bool,
    /// Whether a session of an earlier process can be loaded with its history.
    pub can_load: bool,
    /// Whether it reaches MCP servers over HTTP.
    pub mcp_over_http: bool,
}

pub(super) fn read_agent_info(result: &Value) -> AgentInfo {
    let capabilities = &result["agentCapabilities"];
    let text = |name: &str| result["agentInfo"][name].as_str().unwrap_or("unknown").to_owned();
    AgentInfo {
        name: text("name"),
        version: text("version"),
        can_resume: capabilities["sessionCapabilities"]["resume"].is_object(),
        can_load: capabilities["loadSession"] == true,
        mcp_over_http: capabilities["mcpCapabilities"]["http"] == true,
    }
}

/// A session of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionInfo {
    /// Names it, also towards a later process with the same HOME.
    pub id: String,
    /// The choices that it offers, such as that of the model.
    pub options: Vec<SessionOption>,
}

impl SessionInfo {
    /// The option for this subject, such as `model` or `mode`.
    pub fn find_option(&self, subject: &str) -> Option<&SessionOption> {
        let by_category = self.options.iter().find(|option| option.category.as_deref() == Some(subject));
        by_category.or_else(|| self.options.iter().find(|option| option.id == subject))
    }
}

/// Something that can be chosen for a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionOption {
    /// Names it within the session.
    pub id: String,
    /// Its subject: `model`, `mode`, or others.
    pub category: Option<String>,
    /// The value that is chosen.
    pub current: Option<String>,
    /// The values that can be chosen.
    pub values: Vec<String>,
    /// Whether it is set by `session/set_mode`, as agents without configuration options have it.
    pub by_mode: bool,
}

pub(super) fn read_session(id: String, result: &Value) -> SessionInfo {
    let mut options = read_options(result);
    let modes = &result["modes"];
    if let Some(available) = modes["availableModes"].as_array().filter(|_| !options.iter().any(is_mode)) {
        options.push(SessionOption {
            id: "mode".into(),
            category: Some("mode".into()),
            current: modes["currentModeId"].as_str().map(str::to_owned),
            values: available.iter().filter_map(|mode| mode["id"].as_str().map(str::to_owned)).collect(),
            by_mode: true,
        });
    }
    SessionInfo { id, options }
}

fn is_mode(option: &SessionOption) -> bool {
    option.category.as_deref() == Some("mode") || option.id == "mode"
}

fn read_options(result: &Value) -> Vec<SessionOption> {
    let read = |option: &Value| {
        let id = option["id"].as_str()?.to_owned();
        let text = |name: &str| option[name].as_str().map(str::to_owned);
        let values = read_values(&option["options"]);
        Some(SessionOption { id, category: text("category"), current: text("currentValue"), values, by_mode: false })
    };
    result["configOptions"].as_array().into_iter().flatten().filter_map(read).collect()
}

/// The values of an option, which may stand in groups.
fn read_values(options: &Value) -> Vec<String> {
    let each = options.as_array().into_iter().flatten();
    each.flat_map(|option| match option["value"].as_str() {
        Some(value) => vec![value.to_owned()],
        None => read_values(&option["options"]),
    })
    .collect()
}

/// Why a turn ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnEndReason {
    /// The agent is done.
    EndTurn,
    /// The model reached its limit of tokens.
    MaxTokens,
    /// The agent reached its limit of requests to the model.
    MaxTurnRequests,
    /// The agent or its model refuses to go on.
    Refusal,
    /// The turn was cancelled.
    Cancelled,
    /// A reason that is not in the protocol.
    Other(String),
}

/// The end of a turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TurnEnd {
    /// Why it ended.
    pub reason: TurnEndReason,
    /// The tokens that it used, where the agent says so.
    pub usage: Option<TokenUsage>,
}

/// The tokens of a turn, as the agent counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TokenUsage {
    /// Read by the model and not from a cache.
    pub input: u64,
    /// Written by the model.
    pub output: u64,
    /// Written while it thought.
    pub thought: u64,
    /// Read from a cache.
    pub cached_read: u64,
    /// Written to a cache.
    pub cached_write: u64,
}

pub(super) fn read_turn_end(result: &Value) -> TurnEnd {
    let reason = match result["stopReason"].as_str().unwrap_or("unknown") {
        "end_turn" => TurnEndReason::EndTurn,
        "max_tokens" => TurnEndReason::MaxTokens,
        "max_turn_requests" => TurnEndReason::MaxTurnRequests,
        "refusal" => TurnEndReason::Refusal,
        "cancelled" => TurnEndReason::Cancelled,
        other => TurnEndReason::Other(other.chars().take(100).collect()),
    };
    let usage = &result["usage"];
    let tokens = |name: &str| usage[name].as_u64().unwrap_or_default();
    let usage = usage.is_object().then(|| TokenUsage {
        input: tokens("inputTokens"),
        output: tokens("outputTokens"),
        thought: tokens("thoughtTokens"),
        cached_read: tokens("cachedReadTokens"),
        cached_write: tokens("cachedWriteTokens"),
    });
    TurnEnd { reason, usage }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_option_is_found_by_its_subject_and_its_values_in_groups() {
        let result = json!({"configOptions": [{"id": "m1", "category": "model", "type": "select", "currentValue": "a",
            "options": [{"group": "g", "name": "G", "options": [{"value": "a", "name": "A"}]}, {"value": "b", "name": "B"}]}],
            "modes": {"currentModeId": "ask", "availableModes": [{"id": "ask", "name": "Ask"}]}});
        let session = read_session("s".into(), &result);
        assert_eq!(session.find_option("model").unwrap().values, ["a", "b"]);
        assert!(session.find_option("mode").unwrap().by_mode);
        assert!(session.find_option("effort").is_none());
    }

    #[test]
    fn a_turn_end_of_unknown_form_has_its_reason_as_text() {
        let end = read_turn_end(&json!({"stopReason": "tired", "usage": 3}));
        assert_eq!(end, TurnEnd { reason: TurnEndReason::Other("tired".into()), usage: None });
    }
}
