//! A session as a task of A2A. Pure.

use std::collections::HashMap;

use ::a2a::{Message, Part, Role, Task, TaskState, TaskStatus};
use serde_json::{Value, json};

use crate::{
    event::Event,
    session::{Session, store::Found},
};

use super::{context, state_of};

/// A session as a task, without history and artifacts.
pub fn task(found: &Found) -> Task {
    let session = &found.session;
    Task {
        id: session.id.to_string(),
        context_id: context(session),
        status: status(session),
        artifacts: None,
        history: None,
        metadata: Some(HashMap::from([("ioc".to_owned(), told(found))])),
    }
}

/// Where a task stands, with what it asks for or what came of it.
pub fn status(session: &Session) -> TaskStatus {
    let words = words(session);
    let message = words
        .map(|text| Message { message_id: format!("{}.{}", session.id, session.version), ..agent_says(session, text) });
    TaskStatus { state: state_of(session), message, timestamp: Some(session.status_changed_at) }
}

fn words(session: &Session) -> Option<String> {
    match state_of(session) {
        TaskState::InputRequired | TaskState::AuthRequired => {
            session.pause_question.as_ref().map(|question| question.text.clone())
        }
        state if state.is_terminal() => {
            let outcome = session.outcome.as_ref()?;
            let failed = outcome.error.as_ref().map(|error| format!("{} {}", error.message, error.remedy));
            let result = outcome.result.as_ref().map(|result| match &result["text"] {
                Value::String(text) => text.clone(),
                _ => result.to_string(),
            });
            result.or(failed)
        }
        _ => None,
    }
}

/// What is known of the session beside what the protocol has words for.
fn told(found: &Found) -> Value {
    let session = &found.session;
    json!({
        "status": session.status,
        "pause_reason": session.pause_reason,
        "title": session.title,
        "agent": found.agent.as_ref().map(|(name, _)| name),
        "queue_place": found.place.as_ref().map(|(place, _)| place),
        "error_code": session.outcome.as_ref().and_then(|outcome| outcome.error.as_ref()).map(|error| &error.code),
    })
}

fn agent_says(session: &Session, text: String) -> Message {
    Message {
        message_id: String::new(),
        context_id: Some(context(session)),
        task_id: Some(session.id.to_string()),
        role: Role::Agent,
        parts: vec![Part::text(text)],
        metadata: None,
        extensions: None,
        reference_task_ids: None,
    }
}

/// The message that an event tells of; none where it is not one of the two who speak.
pub fn message(session: &Session, event: &Event) -> Option<Message> {
    let role = match event.payload["role"].as_str()? {
        "assistant" => Role::Agent,
        "user" => Role::User,
        _ => return None,
    };
    let answered = || event.payload["answer"]["decision"].as_str();
    let text = event.payload["text"].as_str().or_else(answered)?.to_owned();
    Some(Message { message_id: event.id.to_string(), role, ..agent_says(session, text) })
}

/// The message that made the session.
pub fn first(session: &Session) -> Message {
    let named = session.metadata.get("a2a").and_then(|told| told["message_id"].as_str());
    Message {
        message_id: named.map_or_else(|| session.id.to_string(), str::to_owned),
        role: Role::User,
        ..agent_says(session, session.initial_prompt.clone())
    }
}
