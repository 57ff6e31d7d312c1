//! Turns what an agent says into reports. Pure: pieces of a message are put together, and calls of tools become log
//! entries. Requests for permission are not here but among the questions.

use std::collections::BTreeMap;

use crate::{
    acp::{AgentUpdate, PermissionRule, ToolCallReport, ToolStatus},
    control_plane::wire::{LogEntry, Question},
};

/// The longest text of one report, in characters.
const LONGEST: usize = 10_000;

/// What is to be reported.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// What the agent said.
    Message(String),
    /// What it did.
    Log(LogEntry),
    /// What it asks a person.
    Question(Question),
}

impl Entry {
    /// A log entry of this level, of a message that is cut to what a report can have.
    pub fn log(level: &'static str, message: &str) -> Self {
        Self::Log(LogEntry { level, message: message.chars().take(LONGEST).collect() })
    }
}

/// The state between two updates.
#[derive(Debug, Default)]
pub struct Transcript {
    /// The message whose pieces still come.
    open: Option<(Option<String>, String)>,
    /// The titles of the calls that have not ended.
    calls: BTreeMap<String, String>,
    /// The last whole message, which becomes the result.
    last: String,
    /// What the session has cost by the agent's own prices, in US dollars.
    cost: Option<f64>,
}

impl Transcript {
    /// Takes an update in, and returns what is to be reported because of it.
    pub fn add(&mut self, update: AgentUpdate) -> Vec<Entry> {
        match update {
            AgentUpdate::Message { message_id, text } => self.add_piece(message_id, &text),
            AgentUpdate::ToolCall(call) | AgentUpdate::ToolCallUpdate(call) => {
                let mut entries = self.close_message();
                entries.extend(self.add_call(&call));
                entries
            }
            AgentUpdate::PermissionDecided { tool_call, rule: PermissionRule::Deny } => {
                let mut entries = self.close_message();
                let title = tool_call.title.or(tool_call.name).unwrap_or_else(|| "a tool".to_owned());
                entries.push(Entry::log("warning", &format!("The rules of the session refuse: {title}")));
                entries
            }
            AgentUpdate::Usage(usage) => {
                let cost = usage.cost.filter(|cost| cost.currency == "USD").map(|cost| cost.amount);
                self.cost = cost.or(self.cost);
                Vec::new()
            }
            AgentUpdate::Thought { .. }
            | AgentUpdate::Plan { .. }
            | AgentUpdate::PermissionDecided { .. }
            | AgentUpdate::PermissionRequest(_)
            | AgentUpdate::Other { .. } => Vec::new(),
        }
    }

    /// Ends the message whose pieces came last: the turn is over.
    pub fn close_message(&mut self) -> Vec<Entry> {
        let Some((_, text)) = self.open.take().filter(|(_, text)| !text.trim().is_empty()) else { return Vec::new() };
        self.last.clone_from(&text);
        split(&text).into_iter().map(Entry::Message).collect()
    }

    /// The last whole message of the agent.
    pub fn last_message(&self) -> &str {
        &self.last
    }

    /// What the session has cost by the agent's own prices, in US dollars.
    pub fn cost(&self) -> Option<f64> {
        self.cost
    }

    fn add_piece(&mut self, id: Option<String>, text: &str) -> Vec<Entry> {
        match &mut self.open {
            Some((known, open)) if *known == id => {
                open.push_str(text);
                Vec::new()
            }
            _ => {
                let entries = self.close_message();
                self.open = Some((id, text.to_owned()));
                entries
            }
        }
    }

    /// A call is reported when it ends, under the title that it had.
    fn add_call(&mut self, call: &ToolCallReport) -> Option<Entry> {
        if let Some(title) = call.title.clone().or_else(|| call.name.clone()) {
            self.calls.insert(call.id.clone(), title);
        }
        let level = match call.status {
            Some(ToolStatus::Completed) => "info",
            Some(ToolStatus::Failed) => "warning",
            _ => return None,
        };
        let title = self.calls.remove(&call.id).unwrap_or_else(|| "a tool".to_owned());
        let exit = call.exit_code.filter(|code| *code != 0).map(|code| format!(" (exit code {code})"));
        let failed = if level == "warning" { " failed" } else { "" };
        let message = format!("{title}{failed}{}", exit.unwrap_or_default());
        Some(Entry::log(level, &message))
    }
}

/// The text in parts that fit into a report each.
fn split(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(LONGEST).map(|part| part.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(id: &str, text: &str) -> AgentUpdate {
        AgentUpdate::Message { message_id: Some(id.to_owned()), text: text.to_owned() }
    }

    fn call(id: &str, title: Option<&str>, status: ToolStatus, exit_code: Option<i64>) -> AgentUpdate {
        AgentUpdate::ToolCallUpdate(ToolCallReport {
            id: id.to_owned(),
            title: title.map(str::to_owned),
            status: Some(status),
            exit_code,
            ..ToolCallReport::default()
        })
    }

    #[test]
    fn pieces_of_a_message_are_reported_together_when_something_else_follows() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.add(piece("1", "Hel")), []);
        assert_eq!(transcript.add(piece("1", "lo.")), []);
        assert_eq!(transcript.add(piece("2", "Next.")), [Entry::Message("Hello.".to_owned())]);
        assert_eq!(transcript.close_message(), [Entry::Message("Next.".to_owned())]);
        assert_eq!((transcript.close_message(), transcript.last_message()), (vec![], "Next."));
    }

    #[test]
    fn a_call_is_reported_once_when_it_ends() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.add(call("1", Some("cargo test"), ToolStatus::InProgress, None)), []);
        let entries = transcript.add(call("1", None, ToolStatus::Failed, Some(101)));
        let message = "cargo test failed (exit code 101)".to_owned();
        assert_eq!(entries, [Entry::Log(LogEntry { level: "warning", message })]);
    }

    #[test]
    fn a_refusal_by_the_rules_is_reported_and_a_grant_is_not() {
        let decided = |rule| {
            let tool_call = ToolCallReport { title: Some("rm x".into()), ..ToolCallReport::default() };
            Transcript::default().add(AgentUpdate::PermissionDecided { tool_call, rule })
        };
        assert_eq!(decided(PermissionRule::Deny), [Entry::log("warning", "The rules of the session refuse: rm x")]);
        assert_eq!(decided(PermissionRule::Allow), []);
    }

    #[test]
    fn a_long_message_is_split_into_parts_that_fit() {
        let mut transcript = Transcript::default();
        transcript.add(piece("1", &"ä".repeat(25_000)));
        let parts: Vec<_> = transcript.close_message();
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|part| matches!(part, Entry::Message(text) if text.chars().count() <= LONGEST)));
    }
}
