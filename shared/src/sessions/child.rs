//! What an agent learns of a session that it created for its own: how far it is, why it waits, what it came to. Pure.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::kernel::id::SessionId;

use super::{
    Session,
    queue::{QueuePosition, WaitingFor},
    status::{PauseReason, Status},
};

/// The longest result of a child that its parent's agent gets, in characters.
const MAX_RESULT: usize = 10_000;

/// The longest result in a text about several children, in characters.
const MAX_DESCRIBED: usize = 4_000;

/// A child of the session of a task.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ChildSession)]
pub struct ChildState {
    /// The id of the session.
    pub id: SessionId,
    /// The title of the session.
    pub title: String,
    /// The status of the session.
    pub status: Status,
    /// Whether the session is over.
    pub is_over: bool,
    /// The text of the result, cut after 10 000 characters. Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why the session ended without success. Absent if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ChildError>,
    /// What the session waits for. Absent unless it is queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<ChildWait>,
    /// Why the session is paused. Absent unless it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_reason: Option<PauseReason>,
}

/// Why a child ended without success.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChildError {
    /// The code of the error.
    pub code: String,
    /// A description of the error.
    pub message: String,
    /// What can be done about it.
    pub remedy: String,
}

/// What a queued child waits for.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChildWait {
    /// The resource that it waits for.
    #[serde(rename = "for")]
    pub waiting_for: WaitingFor,
    /// The reason, for people.
    pub detail: String,
}

impl ChildState {
    pub fn of(session: &Session, queue: Option<&QueuePosition>) -> Self {
        let error = session.outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
        Self {
            id: session.id,
            title: session.spec.title.clone(),
            status: session.status,
            is_over: session.status.is_over(),
            text: result_text(session).map(|text| cut(&text, MAX_RESULT)),
            error: error.map(|error| ChildError {
                code: error.code.clone(),
                message: error.message.clone(),
                remedy: error.remedy.clone(),
            }),
            waits: queue.map(|queue| ChildWait { waiting_for: queue.waiting_for, detail: queue.detail.clone() }),
            pause_reason: session.pause.reason,
        }
    }

    /// Whether an agent works on it, or on sessions for which it waits.
    pub fn is_at_work(&self) -> bool {
        self.status.holds_slot() || self.pause_reason == Some(PauseReason::Dependency)
    }

    fn describe(&self) -> String {
        let mut text = format!("Session {} ({}): {}", self.id, self.title, self.status.name());
        if let Some(reason) = self.pause_reason {
            let _ = write!(text, ", {}", describe_pause(reason));
        }
        if let Some(waits) = &self.waits {
            let _ = write!(text, ". {}", waits.detail);
        }
        if let Some(ChildError { code, message, remedy }) = &self.error {
            let _ = write!(text, ". {code}: {message} {remedy}");
        }
        if let Some(result) = &self.text {
            let _ = write!(text, "\n{}", cut(result, MAX_DESCRIBED));
        }
        text
    }
}

/// What children came to, for the agent that waits for them. `missing` are ids of no child.
pub fn describe_children(children: &[ChildState], missing: &[SessionId]) -> String {
    let known = children.iter().map(ChildState::describe);
    let unknown = missing.iter().map(|id| format!("Session {id}: your session has no such child."));
    known.chain(unknown).collect::<Vec<_>>().join("\n\n")
}

fn describe_pause(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::Approval | PauseReason::Input | PauseReason::Auth => "because it waits for a person",
        PauseReason::Dependency => "because it waits for sessions of its own",
        PauseReason::Manual | PauseReason::Maintenance => "by a person",
        PauseReason::Budget | PauseReason::Quota => "because the budget is spent",
        PauseReason::RateLimit => "because the provider of its model asked to wait",
    }
}

fn result_text(session: &Session) -> Option<String> {
    let result = session.outcome.as_ref()?.result.as_ref()?;
    let text = match result.get("text") {
        Some(Value::String(text)) => text.clone(),
        _ if result.as_object().is_some_and(serde_json::Map::is_empty) => return None,
        _ => result.to_string(),
    };
    Some(text).filter(|text| !text.is_empty())
}

fn cut(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).collect();
    if shown.len() < text.len() {
        shown.push('\u{2026}');
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        kernel::{
            actor::Actor,
            clock::Time,
            failure::{Category, Failure},
            id::TenantId,
        },
        sessions::{
            NewLineage,
            draft::{SessionDraft, SessionInput},
            outcome::Outcome,
        },
    };

    fn child(status: Status, outcome: Option<Outcome>) -> ChildState {
        let input = SessionInput { title: "A part".into(), initial_prompt: "Do it.".into(), ..Default::default() };
        let spec = SessionDraft::parse(input).unwrap().spec;
        let lineage = NewLineage::root_lineage(None);
        let mut session = Session::new(TenantId::new(), spec, lineage, Actor::system_part("test"), Time::default());
        (session.status, session.outcome) = (status, outcome);
        ChildState::of(&session, None)
    }

    #[test]
    fn the_text_of_a_child_is_what_its_result_says() {
        let with = |result| Some(Outcome { result: Some(result), ..Outcome::default() });
        for (outcome, expected) in [
            (with(json!({"text": "It is blue."})), Some("It is blue.")),
            (with(json!({"number": 1})), Some(r#"{"number":1}"#)),
            (with(json!({})), None),
            (with(json!({"text": ""})), None),
            (None, None),
        ] {
            assert_eq!(child(Status::Completed, outcome).text.as_deref(), expected);
        }
        let long = child(Status::Completed, with(json!({"text": "ä".repeat(MAX_RESULT + 1)}))).text.unwrap();
        assert_eq!(long.chars().count(), MAX_RESULT + 1, "it is cut, and says so");
        assert!(long.ends_with('\u{2026}'));
    }

    #[test]
    fn a_description_names_each_child_its_result_and_its_error() {
        let done =
            child(Status::Completed, Some(Outcome { result: Some(json!({"text": "Done."})), ..Default::default() }));
        let error = Failure::new(Category::Agent, "AGENT_EXITED", "It ended.");
        let failed = child(Status::Failed, Some(Outcome { error: Some(error), ..Default::default() }));
        let missing = SessionId::new();
        let text = describe_children(&[done.clone(), failed.clone()], &[missing]);
        let parts: Vec<_> = text.split("\n\n").collect();
        assert_eq!(parts[0], format!("Session {} (A part): completed\nDone.", done.id));
        assert!(parts[1].starts_with(&format!("Session {} (A part): failed. AGENT_EXITED: It ended.", failed.id)));
        assert_eq!(parts[2], format!("Session {missing}: your session has no such child."));
    }
}
