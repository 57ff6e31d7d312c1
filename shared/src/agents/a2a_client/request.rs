//! Messages to the agent: the prompt, continuations, and messages of users. Message ids are derived from the session
//! and its run, so a repeated send is the same message.

use std::collections::HashMap;

use ::a2a::{Message, Part, Role, Task};
use serde_json::{Value, json};

use crate::{
    agents::contract::{Answer, Assignment, Continuation, Decision, UserMessage},
    kernel::id::MessageId,
};

use super::{output::DIFF, state::A2aRunState};

/// The largest patch that is attached, in bytes.
const MAX_PATCH_BYTES: usize = 1024 * 1024;

/// The id of the message that starts a run.
pub(super) fn message_id(assignment: &Assignment) -> String {
    format!("{}.{}", assignment.session_id, assignment.run)
}

/// The prompt in a context of its own, with the previous work if there is any.
pub(super) fn new_task(assignment: &Assignment) -> Message {
    let mut parts = vec![Part::text(prompt_text(assignment))];
    if let Continuation::Checkpoint { patch, summary, .. } = &assignment.continuation {
        parts.extend(previous_work(patch, summary));
    }
    Message { context_id: Some(message_id(assignment)), ..run_message(assignment, parts) }
}

/// A new task in the context of a task that ended.
pub(super) fn follow_up_task(assignment: &Assignment, state: &A2aRunState) -> Message {
    let mut parts = vec![Part::text(format!("Go on with this work where it was left.\n\n{}", prompt_text(assignment)))];
    if let Continuation::Checkpoint { patch, summary, .. } = &assignment.continuation {
        parts.extend(previous_work(patch, summary));
    }
    Message {
        context_id: state.context.clone(),
        reference_task_ids: state.task.clone().map(|task| vec![task]),
        ..run_message(assignment, parts)
    }
}

/// A message that lets a waiting task continue.
pub(super) fn continue_task(assignment: &Assignment, task: &Task) -> Message {
    Message {
        context_id: Some(task.context_id.clone()),
        task_id: Some(task.id.clone()),
        ..run_message(assignment, vec![Part::text("Go on.")])
    }
}

/// A message or an answer of a user.
pub(super) fn user_message(id: MessageId, said: &UserMessage, state: &A2aRunState) -> Message {
    let text = match said {
        UserMessage::Text { text } => text.clone(),
        UserMessage::Answer { answer } => answer_text(answer),
    };
    Message {
        message_id: id.to_string(),
        context_id: state.context.clone(),
        task_id: None,
        role: Role::User,
        parts: vec![Part::text(text)],
        metadata: None,
        extensions: None,
        reference_task_ids: None,
    }
}

/// The same message as a new task in the context of a task that ended.
pub(super) fn in_new_task(message: Message, task: &Task) -> Message {
    Message { context_id: Some(task.context_id.clone()), reference_task_ids: Some(vec![task.id.clone()]), ..message }
}

fn answer_text(answer: &Answer) -> String {
    let decision = answer.decision.map(|decision| match decision {
        Decision::Approve => "approve".to_owned(),
        Decision::Deny => "deny".to_owned(),
    });
    let choices = answer.choices.as_ref().filter(|choices| !choices.is_empty()).map(|choices| choices.join(", "));
    let parts: Vec<_> = [decision, choices, answer.text.clone()].into_iter().flatten().collect();
    if parts.is_empty() { "Go on.".to_owned() } else { parts.join("\n") }
}

fn run_message(assignment: &Assignment, parts: Vec<Part>) -> Message {
    Message {
        message_id: message_id(assignment),
        context_id: None,
        task_id: None,
        role: Role::User,
        parts,
        metadata: Some(session_metadata(assignment)),
        extensions: None,
        reference_task_ids: None,
    }
}

/// Facts about the session, for agents that use them. The tenant is not disclosed.
fn session_metadata(assignment: &Assignment) -> HashMap<String, Value> {
    let session = json!({
        "session_id": assignment.session_id,
        "run": assignment.run,
        "title": assignment.title,
        "session_type": assignment.session_type,
        "model": assignment.model,
        "workspace": assignment.workspace,
        "cpu_limit": assignment.cpu_limit,
        "memory_limit_mb": assignment.memory_limit_mb,
    });
    HashMap::from([("ioc".to_owned(), session)])
}

fn prompt_text(assignment: &Assignment) -> String {
    let mut text = assignment.prompt.clone();
    if let Some(workspace) = &assignment.workspace {
        let named =
            [("Repository", &workspace.repository), ("Ref", &workspace.reference), ("Directory", &workspace.directory)];
        for (name, value) in named.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value))) {
            text.push_str(if text.ends_with('\n') { "" } else { "\n" });
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
        }
    }
    text
}

fn previous_work(patch: &str, summary: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    if !summary.is_empty() {
        parts.push(Part::text(format!("What was done so far: {summary}")));
    }
    if !patch.is_empty() && patch.len() <= MAX_PATCH_BYTES {
        parts.push(Part::text("The changes so far are attached as a patch; apply it before you go on."));
        parts.push(Part::text(patch).with_media_type(DIFF).with_filename("changes.patch"));
    }
    parts
}
