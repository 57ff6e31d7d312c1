//! Turns what an agent says into reports. Pure: pieces of a message are put together, and calls of tools are reported
//! when they begin and when they end. Requests for permission are not here but among the questions.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    acp::{AgentUpdate, PermissionRule, ToolCallReport, ToolStatus},
    control_plane::wire::{LogEntry, Question, ToolCall, ToolCallState},
};

/// The longest text of one report, in characters.
const LONGEST: usize = 10_000;

/// The longest id or name of a call, and its longest title, in characters.
const LONGEST_NAME: usize = 200;
const LONGEST_TITLE: usize = 1000;

/// The most bytes of the arguments of a call.
const LARGEST_INPUT: usize = 8 * 1024;

/// What is to be reported.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// What the agent said.
    Message(String),
    /// What it thinks.
    Thought(String),
    /// What it did.
    Tool(ToolCall),
    /// What happened to it.
    Log(LogEntry),
    /// What it asks a person.
    Question(Question),
    /// The phase of the run that begins, as the protocol names it.
    Phase(&'static str),
}

impl Entry {
    /// A log entry of this level, of a message that is cut to what a report can have.
    pub fn log(level: &'static str, message: &str) -> Self {
        Self::Log(LogEntry { level, message: cut(message, LONGEST) })
    }
}

/// The state between two updates.
#[derive(Debug, Default)]
pub struct Transcript {
    /// The message or thought whose pieces still come.
    open: Option<OpenText>,
    /// The calls that have not ended, as they were reported last.
    calls: BTreeMap<String, ToolCall>,
    /// The last whole message, which becomes the result.
    last: String,
    /// What the session has cost by the agent's own prices, in US dollars.
    cost: Option<f64>,
}

impl Transcript {
    /// Takes an update in, and returns what is to be reported because of it.
    pub fn add(&mut self, update: AgentUpdate) -> Vec<Entry> {
        match update {
            AgentUpdate::Message { message_id, text } => self.add_piece(TextKind::Message, message_id, &text),
            AgentUpdate::Thought { message_id, text } => self.add_piece(TextKind::Thought, message_id, &text),
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
            AgentUpdate::Plan { .. }
            | AgentUpdate::PermissionDecided { .. }
            | AgentUpdate::PermissionRequest(_)
            | AgentUpdate::Other { .. } => Vec::new(),
        }
    }

    /// Ends the message or thought whose pieces came last: the turn is over, or something else follows.
    pub fn close_message(&mut self) -> Vec<Entry> {
        let Some(open) = self.open.take().filter(|open| !open.text.trim().is_empty()) else { return Vec::new() };
        match open.kind {
            TextKind::Thought => split(&open.text).into_iter().map(Entry::Thought).collect(),
            TextKind::Message => {
                self.last.clone_from(&open.text);
                split(&open.text).into_iter().map(Entry::Message).collect()
            }
        }
    }

    /// Ends the calls that run, because the process of the agent has ended.
    pub fn end_calls(&mut self) -> Vec<Entry> {
        let running = std::mem::take(&mut self.calls).into_values().filter(|call| call.state == ToolCallState::Running);
        let end = |call: ToolCall| {
            let said = call.output.map_or_else(String::new, |output| format!("{output}\n"));
            let output = cut(&format!("{said}(the process of the agent ended)"), LONGEST);
            Entry::Tool(ToolCall { state: ToolCallState::Error, output: Some(output), ..call })
        };
        running.map(end).collect()
    }

    /// Whether a call has begun, or is announced, that has not ended.
    pub fn has_open_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// The last whole message of the agent.
    pub fn last_message(&self) -> &str {
        &self.last
    }

    /// What the session has cost by the agent's own prices, in US dollars.
    pub fn cost(&self) -> Option<f64> {
        self.cost
    }

    fn add_piece(&mut self, kind: TextKind, id: Option<String>, text: &str) -> Vec<Entry> {
        match &mut self.open {
            Some(open) if open.kind == kind && open.id == id => {
                open.text.push_str(text);
                Vec::new()
            }
            _ => {
                let entries = self.close_message();
                self.open = Some(OpenText { kind, id, text: text.to_owned() });
                entries
            }
        }
    }

    /// A call is reported when it begins to run and when it ends, with all that is known of it by then.
    fn add_call(&mut self, report: &ToolCallReport) -> Option<Entry> {
        let known = self.calls.entry(report.id.clone()).or_insert_with(|| ToolCall {
            id: cut(&report.id, LONGEST_NAME),
            tool: "tool".to_owned(),
            title: String::new(),
            state: ToolCallState::Pending,
            input: None,
            output: None,
        });
        let before = known.state;
        add_details(known, report);
        let call = known.clone();
        if matches!(call.state, ToolCallState::Completed | ToolCallState::Error) {
            self.calls.remove(&report.id);
        }
        (call.state != before && call.state != ToolCallState::Pending).then_some(Entry::Tool(call))
    }
}

/// A message or a thought that is not complete.
#[derive(Debug)]
struct OpenText {
    kind: TextKind,
    id: Option<String>,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextKind {
    Message,
    Thought,
}

/// Adds what a report says to what is known of a call.
fn add_details(call: &mut ToolCall, report: &ToolCallReport) {
    if let Some(name) = report.name.clone().or_else(|| report.kind.map(|kind| kind.name().to_owned())) {
        call.tool = cut(&name, LONGEST_NAME);
    }
    if let Some(title) = &report.title {
        call.title = cut(title, LONGEST_TITLE);
    }
    if let Some(input) = report.input.clone().filter(fits) {
        call.input = Some(input);
    }
    let output = report.content.as_ref().or(report.output.as_ref()).map(|text| cut(text, LONGEST));
    call.output = output.or_else(|| call.output.take());
    if let Some(code) = report.exit_code.filter(|code| *code != 0) {
        let said = call.output.take().unwrap_or_default();
        call.output = Some(cut(&format!("{said}\n(exit code {code})"), LONGEST));
    }
    call.state = match report.status {
        Some(ToolStatus::InProgress) => ToolCallState::Running,
        Some(ToolStatus::Completed) => ToolCallState::Completed,
        Some(ToolStatus::Failed) => ToolCallState::Error,
        Some(ToolStatus::Pending) | None => call.state,
    };
}

/// Whether arguments are small enough to be reported. Those of a call that writes a large file are not: the patch has
/// it.
fn fits(input: &Value) -> bool {
    input.to_string().len() <= LARGEST_INPUT
}

/// The beginning of a text, without characters that Postgres cannot store.
fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).map(|letter| if letter == '\0' { '\u{fffd}' } else { letter }).collect()
}

/// The text in parts that fit into a report each.
fn split(text: &str) -> Vec<String> {
    let characters: Vec<char> = cut(text, usize::MAX).chars().collect();
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
    fn a_call_is_reported_when_it_begins_and_when_it_ends() {
        let mut transcript = Transcript::default();
        let of = |entries: Vec<Entry>| match entries.as_slice() {
            [] => None,
            [Entry::Tool(call)] => Some((call.state, call.title.clone(), call.output.clone())),
            other => panic!("{other:?}"),
        };
        assert_eq!(of(transcript.add(call("1", Some("cargo test"), ToolStatus::Pending, None))), None);
        let began = of(transcript.add(call("1", None, ToolStatus::InProgress, None)));
        assert_eq!(began, Some((ToolCallState::Running, "cargo test".to_owned(), None)));
        assert_eq!(of(transcript.add(call("1", None, ToolStatus::InProgress, None))), None);
        let ended = of(transcript.add(call("1", None, ToolStatus::Failed, Some(101))));
        let output = Some("\n(exit code 101)".to_owned());
        assert_eq!(ended, Some((ToolCallState::Error, "cargo test".to_owned(), output)));
    }

    #[test]
    fn a_call_that_runs_when_the_process_ends_is_reported_as_failed() {
        let mut transcript = Transcript::default();
        transcript.add(call("1", Some("cargo test"), ToolStatus::InProgress, None));
        transcript.add(call("2", Some("cargo fmt"), ToolStatus::Pending, None));
        let ended = transcript.end_calls();
        let [Entry::Tool(call)] = ended.as_slice() else { panic!("{ended:?}") };
        let output = Some("(the process of the agent ended)");
        assert_eq!((call.id.as_str(), call.state, call.output.as_deref()), ("1", ToolCallState::Error, output));
        assert_eq!(transcript.end_calls(), []);
    }

    #[test]
    fn a_thought_is_reported_apart_from_the_message_that_follows() {
        let mut transcript = Transcript::default();
        transcript.add(AgentUpdate::Thought { message_id: None, text: "Hm".into() });
        transcript.add(AgentUpdate::Thought { message_id: None, text: "m.".into() });
        assert_eq!(transcript.add(piece("1", "Yes.")), [Entry::Thought("Hmm.".to_owned())]);
        assert_eq!(transcript.close_message(), [Entry::Message("Yes.".to_owned())]);
        assert_eq!(transcript.last_message(), "Yes.");
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
