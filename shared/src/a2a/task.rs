//! Converts a session to an A2A task. Pure.

use std::collections::HashMap;

use ::a2a::{Message, Part, Role, Task, TaskState, TaskStatus};
use serde_json::{Value, json};

use crate::{
    kernel::id::EventId,
    sessions::{Session, store::FoundSession},
};

use super::{context_id, question::question_parts, state_of};

/// A session as a task, without history and artifacts.
pub fn task_of_session(found: &FoundSession) -> Task {
    let session = &found.session;
    Task {
        id: session.id.to_string(),
        context_id: context_id(session),
        status: task_status(session),
        artifacts: None,
        history: None,
        metadata: Some(HashMap::from([("ioc".to_owned(), session_facts(found))])),
    }
}

/// The status of a task, with its question or its result.
pub fn task_status(session: &Session) -> TaskStatus {
    let message = status_parts(session).map(|parts| Message {
        message_id: format!("{}.{}", session.id, session.version),
        ..agent_says(session, parts)
    });
    TaskStatus { state: state_of(session), message, timestamp: Some(session.clock.status_changed_at) }
}

fn status_parts(session: &Session) -> Option<Vec<Part>> {
    match state_of(session) {
        TaskState::InputRequired | TaskState::AuthRequired => session.pause.question.as_ref().map(question_parts),
        state if state.is_terminal() => {
            let outcome = session.outcome.as_ref()?;
            let failed = outcome.error.as_ref().map(|error| format!("{} {}", error.message, error.remedy));
            let result = outcome.result.as_ref().map(|result| match &result["text"] {
                Value::String(text) => text.clone(),
                _ => result.to_string(),
            });
            result.or(failed).map(|text| vec![Part::text(text)])
        }
        _ => None,
    }
}

/// Facts about the session that the protocol has no fields for.
fn session_facts(found: &FoundSession) -> Value {
    let session = &found.session;
    json!({
        "status": session.status,
        "pause_reason": session.pause.reason,
        "title": session.spec.title,
        "agent": found.agent.as_ref().map(|(name, _)| name),
        "queue_place": found.queue.as_ref().map(|queue| queue.place),
        "error_code": session.outcome.as_ref().and_then(|outcome| outcome.error.as_ref()).map(|error| &error.code),
    })
}

fn agent_says(session: &Session, parts: Vec<Part>) -> Message {
    Message {
        message_id: String::new(),
        context_id: Some(context_id(session)),
        task_id: Some(session.id.to_string()),
        role: Role::Agent,
        parts,
        metadata: None,
        extensions: None,
        reference_task_ids: None,
    }
}

/// The message of an event; `None` unless it is of the user or the agent.
pub fn message_of_event(session: &Session, event: EventId, payload: &Value) -> Option<Message> {
    let role = match payload["role"].as_str()? {
        "assistant" => Role::Agent,
        "user" => Role::User,
        _ => return None,
    };
    let decision = || payload["answer"]["decision"].as_str().map(str::to_owned);
    let choices = || {
        let labels: Vec<_> = payload["answer"]["choices"].as_array()?.iter().filter_map(Value::as_str).collect();
        Some(labels.join(", "))
    };
    let text = payload["text"].as_str().map(str::to_owned).or_else(decision).or_else(choices)?;
    Some(Message { message_id: event.to_string(), role, ..agent_says(session, vec![Part::text(text)]) })
}

/// The message that created the session.
pub fn prompt_message(session: &Session) -> Message {
    let named = session.spec.metadata.get("a2a").and_then(|a2a| a2a["message_id"].as_str());
    Message {
        message_id: named.map_or_else(|| session.id.to_string(), str::to_owned),
        role: Role::User,
        ..agent_says(session, vec![Part::text(session.spec.initial_prompt.clone())])
    }
}
