//! How a person's message answers the question that a session is paused with: the one rule of all doors (REST and A2A).

use serde_json::json;

use crate::{
    agents::contract::{Answer, Decision, Question, QuestionKind, UserMessage},
    kernel::error::{Code, Error, Result},
};

use super::super::session::Session;

/// The message as the session takes it: plain text to a session that waits for an answer is the answer. Text that
/// neither approves nor denies is refused where an approval is asked for, and the refusal names the question.
pub(super) fn as_answer(session: &Session, message: UserMessage) -> Result<UserMessage> {
    match (message, &session.pause.question) {
        (UserMessage::Text { text }, Some(question)) => {
            answer_of_text(session, question, text).map(|answer| UserMessage::Answer { answer })
        }
        (message, _) => Ok(message),
    }
}

fn answer_of_text(session: &Session, question: &Question, text: String) -> Result<Answer> {
    let question_id = question.question_id.clone();
    match question.kind {
        QuestionKind::Approval => match parse_decision(&text) {
            Some(decision) => Ok(Answer { question_id, decision: Some(decision), choices: None, text: Some(text) }),
            None => Err(not_a_decision(session, question)),
        },
        QuestionKind::Input | QuestionKind::Auth | QuestionKind::Sessions => {
            let chosen = question.options.iter().find(|option| is_same_choice(&option.label, &text));
            let choices = chosen.map(|option| vec![option.label.clone()]);
            Ok(Answer { question_id, decision: None, choices, text: Some(text) })
        }
    }
}

fn is_same_choice(label: &str, text: &str) -> bool {
    label.trim().to_lowercase() == text.trim().to_lowercase()
}

/// Whether the session waits for an approval and this text neither approves nor denies.
pub fn is_ambiguous(session: &Session, text: &str) -> bool {
    let question = session.pause.question.as_ref();
    question.is_some_and(|question| question.kind == QuestionKind::Approval) && parse_decision(text).is_none()
}

/// The decision that a text expresses beyond doubt.
fn parse_decision(text: &str) -> Option<Decision> {
    let word = text.trim().trim_end_matches(['.', '!']).to_lowercase();
    match word.as_str() {
        "approve" | "approved" | "yes" | "allow" => Some(Decision::Approve),
        "deny" | "denied" | "no" | "reject" => Some(Decision::Deny),
        _ => None,
    }
}

#[track_caller]
fn not_a_decision(session: &Session, question: &Question) -> Error {
    let id = &question.question_id;
    let detail = format!(
        "The session waits for an approval: say approve or deny, or send \
         {{\"answer\": {{\"question_id\": \"{id}\", \"decision\": \"approve\"}}}}."
    );
    Error::new(Code::InvalidTransition, detail).with_current(json!({
        "status": session.status,
        "allowed_transitions": session.status.next(),
        "version": session.version,
        "question_id": id,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clear_words_approve() {
        assert_eq!(parse_decision(" Approve. "), Some(Decision::Approve));
        assert_eq!(parse_decision("no"), Some(Decision::Deny));
        assert_eq!(parse_decision("yes, but not the second"), None);
    }
}
