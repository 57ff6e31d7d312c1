//! What the agent is told: the prompt, how to go on, and what people say. Ids follow from the session and its run, so that
//! saying a thing again is the same message.

use std::collections::HashMap;

use ::a2a::{Message, Part, Role, Task};
use serde_json::{Value, json};

use crate::id::MessageId;

use super::{
    super::{Answer, Assignment, Continuation, Decision, Said},
    memory::Memory,
    work::DIFF,
};

/// The largest patch that is sent along, in bytes.
const MOST_PATCH: usize = 1024 * 1024;

/// The id of the message that hands a run over.
pub(super) fn message_id(assignment: &Assignment) -> String {
    format!("{}.{}", assignment.session_id, assignment.run)
}

/// The prompt in a context of its own, with the work so far where there is some.
pub(super) fn anew(assignment: &Assignment) -> Message {
    let mut parts = vec![Part::text(prompt(assignment))];
    if let Continuation::Checkpoint { patch, summary, .. } = &assignment.continuation {
        parts.extend(so_far(patch, summary));
    }
    Message { context_id: Some(message_id(assignment)), ..message(assignment, parts) }
}

/// A new task in the context of one that is over.
pub(super) fn again(assignment: &Assignment, memory: &Memory) -> Message {
    let mut parts = vec![Part::text(format!("Go on with this work where it was left.\n\n{}", prompt(assignment)))];
    if let Continuation::Checkpoint { patch, summary, .. } = &assignment.continuation {
        parts.extend(so_far(patch, summary));
    }
    Message {
        context_id: memory.context.clone(),
        reference_task_ids: memory.task.clone().map(|task| vec![task]),
        ..message(assignment, parts)
    }
}

/// A word to an agent that waits: what it waited for is there.
pub(super) fn go_on(assignment: &Assignment, task: &Task) -> Message {
    Message {
        context_id: Some(task.context_id.clone()),
        task_id: Some(task.id.clone()),
        ..message(assignment, vec![Part::text("Go on.")])
    }
}

/// What a person says, or answers.
pub(super) fn said(id: MessageId, said: &Said, memory: &Memory) -> Message {
    let text = match said {
        Said::Text { text } => text.clone(),
        Said::Answer { answer } => words(answer),
    };
    Message {
        message_id: id.to_string(),
        context_id: memory.context.clone(),
        task_id: None,
        role: Role::User,
        parts: vec![Part::text(text)],
        metadata: None,
        extensions: None,
        reference_task_ids: None,
    }
}

/// The same, to a task that is over: a further one in its context.
pub(super) fn after(message: Message, task: &Task) -> Message {
    Message { context_id: Some(task.context_id.clone()), reference_task_ids: Some(vec![task.id.clone()]), ..message }
}

fn words(answer: &Answer) -> String {
    let decision = answer.decision.map(|decision| match decision {
        Decision::Approve => "approve".to_owned(),
        Decision::Deny => "deny".to_owned(),
    });
    let choices = answer.choices.as_ref().filter(|choices| !choices.is_empty()).map(|choices| choices.join(", "));
    let parts: Vec<_> = [decision, choices, answer.text.clone()].into_iter().flatten().collect();
    if parts.is_empty() { "Go on.".to_owned() } else { parts.join("\n") }
}

fn message(assignment: &Assignment, parts: Vec<Part>) -> Message {
    Message {
        message_id: message_id(assignment),
        context_id: None,
        task_id: None,
        role: Role::User,
        parts,
        metadata: Some(metadata(assignment)),
        extensions: None,
        reference_task_ids: None,
    }
}

/// What else an agent may want to know. The tenant is none of its business.
fn metadata(assignment: &Assignment) -> HashMap<String, Value> {
    let told = json!({
        "session_id": assignment.session_id,
        "run": assignment.run,
        "title": assignment.title,
        "session_type": assignment.session_type,
        "model": assignment.model,
        "workspace": assignment.workspace,
        "cpu_limit": assignment.cpu_limit,
        "memory_limit_mb": assignment.memory_limit_mb,
    });
    HashMap::from([("ioc".to_owned(), told)])
}

fn prompt(assignment: &Assignment) -> String {
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

fn so_far(patch: &str, summary: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    if !summary.is_empty() {
        parts.push(Part::text(format!("What was done so far: {summary}")));
    }
    if !patch.is_empty() && patch.len() <= MOST_PATCH {
        parts.push(Part::text("The changes so far are attached as a patch; apply it before you go on."));
        parts.push(Part::text(patch).with_media_type(DIFF).with_filename("changes.patch"));
    }
    parts
}
