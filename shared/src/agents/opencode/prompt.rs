//! What is said to the agent: with ids of ours, and not taken as said before the server has stored it.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    OpenCode,
    client::Refusal,
    ids,
    shell::HOUSEKEEPING,
    state::State,
    wire::{Agent, Message, Providers},
};
use crate::{
    agents::contract::Assignment,
    kernel::failure::{Category, Failure},
};

/// How far back a message of ours is looked for, in pages.
const PAGES: usize = 5;
pub(super) const REPOSTS: u8 = 2;

/// The agents and models that a server has.
#[derive(Debug)]
pub(super) struct Offer {
    agents: Vec<Agent>,
    models: Providers,
}

impl OpenCode {
    /// Refuses an agent or a model that the server does not have: it would take the prompt and say nothing.
    pub(super) async fn check(&self, assignment: &Assignment) -> Result<(), Failure> {
        let checked = self.offer(false).await?.check(self.agent(assignment)?, assignment.model.as_deref());
        if checked.is_ok() {
            return checked;
        }
        // It may have come since we looked.
        self.offer(true).await?.check(self.agent(assignment)?, assignment.model.as_deref())
    }

    async fn offer(&self, fresh: bool) -> Result<Arc<Offer>, Failure> {
        if let Some(offer) = self.offers.get(&()).filter(|_| !fresh) {
            return Ok(offer);
        }
        let agents = self.client.agents(HOUSEKEEPING).await?;
        let models = self.client.providers(HOUSEKEEPING).await?;
        let offer = Arc::new(Offer { agents, models });
        self.offers.insert((), offer.clone());
        Ok(offer)
    }

    /// OpenCode's own agent; `agent_config.agent` names one of ours.
    fn agent<'a>(&'a self, assignment: &'a Assignment) -> Result<&'a str, Failure> {
        match assignment.agent_config.get("opencode_agent") {
            None | Some(Value::Null) => Ok(&self.settings.agent),
            Some(Value::String(name)) => Ok(name),
            Some(_) => {
                Err(Failure::new(Category::User, "AGENT_UNKNOWN", "agent_config.opencode_agent must be a name."))
            }
        }
    }

    /// Says `text`, and makes it what the run waits for. `seed` tells which saying this is: the same one again finds
    /// the message that is there. The answer is the message before it.
    pub(super) async fn deliver(
        &self,
        assignment: &Assignment,
        state: &mut State,
        seed: &[String],
        text: &str,
    ) -> Result<Option<String>, Failure> {
        let suffix = ids::suffix(seed);
        let created = self.client.session(&state.directory, &state.session).await?.time.created_ms();
        let messages = self.history(state, PAGES, |message| message.info.id.ends_with(&suffix)).await?;
        let found = messages.iter().position(|message| message.info.id.ends_with(&suffix));
        let (id, before) = if let Some(at) = found {
            (messages[at].info.id.clone(), messages[..at].last())
        } else {
            let newest = messages.iter().map(|message| message.info.id.as_str()).max();
            let id = ids::message(newest, created, &suffix);
            self.post(assignment, state, &id, text).await?;
            (id, messages.last())
        };
        *state = State { anchor: id, admitted: true, reposts: 0, doubt: None, ..state.clone() };
        Ok(before.map(|message| message.info.id.clone()))
    }

    /// Posts until the message is stored.
    async fn post(&self, assignment: &Assignment, state: &State, id: &str, text: &str) -> Result<(), Failure> {
        let body = self.body(assignment, id, text)?;
        for _ in 0..=REPOSTS {
            self.client.prompt(&state.directory, &state.session, &body).await?;
            let deadline = tokio::time::Instant::now() + self.settings.grace;
            while tokio::time::Instant::now() < deadline {
                let (messages, _) = self.client.messages(&state.directory, &state.session, None).await?;
                if messages.iter().any(|message| message.info.id == id) {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Err(Failure::transient("PROMPT_NOT_ADMITTED", "The agent's server did not store the prompt."))
    }

    /// Posts a message again as it stands, so that the server takes it up.
    pub(super) async fn post_again(
        &self,
        assignment: &Assignment,
        state: &State,
        messages: &[Message],
    ) -> Result<(), Failure> {
        let stored = messages.iter().find(|message| message.info.id == state.anchor);
        let text = stored.and_then(|message| message.parts.iter().find(|part| part.kind == "text"));
        let text = text.map_or(assignment.prompt.as_str(), |part| part.text.as_str());
        let body = self.body(assignment, &state.anchor, text)?;
        Ok(self.client.prompt(&state.directory, &state.session, &body).await?)
    }

    fn body(&self, assignment: &Assignment, id: &str, text: &str) -> Result<Value, Failure> {
        let mut body = json!({
            "messageID": id,
            "agent": self.agent(assignment)?,
            "parts": [{"id": ids::part(id), "type": "text", "text": text}],
        });
        if let Some((provider, model)) = assignment.model.as_deref().and_then(|model| model.split_once('/')) {
            body["model"] = json!({"providerID": provider, "modelID": model});
        }
        if let Some(Value::String(system)) = assignment.agent_config.get("system") {
            body["system"] = json!(system);
        }
        Ok(body)
    }

    /// The newest messages, in the server's order, back to one that `reached` knows or for so many pages.
    pub(super) async fn history(
        &self,
        state: &State,
        pages: usize,
        reached: impl Fn(&Message) -> bool + Send,
    ) -> Result<Vec<Message>, Refusal> {
        let (mut messages, mut cursor) = self.client.messages(&state.directory, &state.session, None).await?;
        for _ in 1..pages {
            let Some(before) = cursor.filter(|_| !messages.iter().any(&reached)) else { break };
            let (older, next) = self.client.messages(&state.directory, &state.session, Some(&before)).await?;
            messages.splice(0..0, older);
            cursor = next;
        }
        Ok(messages)
    }
}

impl Offer {
    fn check(&self, agent: &str, model: Option<&str>) -> Result<(), Failure> {
        let usable = |each: &&Agent| each.mode != "subagent" && !each.hidden;
        if !self.agents.iter().filter(usable).any(|each| each.name == agent) {
            let known: Vec<_> = self.agents.iter().filter(usable).map(|each| each.name.as_str()).collect();
            let message = format!("The server has no agent {agent}; it has {}.", known.join(", "));
            return Err(Failure::new(Category::User, "AGENT_UNKNOWN", message));
        }
        let Some(model) = model else { return Ok(()) };
        let (provider, name) = model.split_once('/').unwrap_or((model, ""));
        let provider = self.models.providers.iter().find(|each| each.id == provider);
        if provider.is_some_and(|provider| provider.models.contains_key(name)) {
            return Ok(());
        }
        let known =
            self.models.providers.iter().flat_map(|each| each.models.keys().map(|name| format!("{}/{name}", each.id)));
        let known: Vec<_> = known.take(20).collect();
        let message = format!("The server has no model {model}; it has {}.", known.join(", "));
        Err(Failure::new(Category::User, "MODEL_UNKNOWN", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_may_hold_further_slashes_and_a_subagent_takes_no_prompt() {
        let agents = serde_json::from_value(
            json!([{"name": "build", "mode": "primary"}, {"name": "explore", "mode": "subagent"}]),
        );
        let models = serde_json::from_value(json!({"providers": [{"id": "router", "models": {"a/b:free": {}}}]}));
        let offer = Offer { agents: agents.unwrap(), models: models.unwrap() };
        assert!(offer.check("build", Some("router/a/b:free")).is_ok());
        assert!(offer.check("build", None).is_ok());
        assert_eq!(offer.check("build", Some("router/a")).unwrap_err().code, "MODEL_UNKNOWN");
        assert_eq!(offer.check("build", Some("router")).unwrap_err().code, "MODEL_UNKNOWN");
        assert_eq!(offer.check("explore", None).unwrap_err().code, "AGENT_UNKNOWN");
    }
}
