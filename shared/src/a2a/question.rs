//! Questions of a session as A2A clients see them, and their answers. Pure.

use std::fmt::Write;

use ::a2a::{A2AError, Message, Part, PartContent};
use serde_json::{Value, json};

use crate::agents::contract::{Answer, Choice, Question, QuestionKind};

use super::field_error::invalid_field;

/// How much of the details the text spells out, in characters. The data part holds all of them.
const MOST_DETAILS: usize = 4_000;

/// A question as a text that spells everything out, and as data for programs.
pub fn question_parts(question: &Question) -> Vec<Part> {
    let data = json!({
        "question_id": question.question_id,
        "kind": question.kind,
        "options": question.options,
        "details": question.details,
    });
    vec![Part::text(spell_question(question)), Part::data(data).with_media_type("application/json")]
}

fn spell_question(question: &Question) -> String {
    let mut text = question.text.clone();
    let details = match &question.details {
        Value::Null => None,
        Value::Object(fields) if fields.is_empty() => None,
        details => Some(format!("{details:#}")),
    };
    if let Some(details) = details {
        let shown: String = details.chars().take(MOST_DETAILS).collect();
        let rest = if shown.len() < details.len() { "\u{2026}" } else { "" };
        let _ = write!(text, "\n\nDetails:\n{shown}{rest}");
    }
    if !question.options.is_empty() {
        text.push_str("\n\nOptions:");
        for Choice { label, description } in &question.options {
            let separator = if description.is_empty() { "" } else { ": " };
            let _ = write!(text, "\n- {label}{separator}{description}");
        }
    }
    if question.kind == QuestionKind::Approval {
        text.push_str("\n\nAnswer approve or deny.");
    }
    text
}

/// The answer that a data part of a message gives by `decision`, `choices` or `text`; `None` if there is no data part,
/// so that the text of the message is the answer.
pub fn parse_answer(question: &Question, message: &Message) -> Result<Option<Answer>, A2AError> {
    let data = message.parts.iter().enumerate().find_map(|(at, part)| match &part.content {
        PartContent::Data(Value::Object(data)) => Some((at, data)),
        _ => None,
    });
    let Some((at, data)) = data else { return Ok(None) };
    let texts: Vec<_> = message.parts.iter().filter_map(Part::as_text).collect();
    let text = Some(texts.join("\n")).filter(|text| !text.trim().is_empty());
    let mut answer = Answer { question_id: question.question_id.clone(), decision: None, choices: None, text };
    read_data(&mut answer, data)
        .map_err(|(name, why)| invalid_field(&format!("message.parts[{at}].data.{name}"), why))?;
    if question.kind == QuestionKind::Approval && answer.decision.is_none() {
        return Err(invalid_field(&format!("message.parts[{at}].data.decision"), "must be approve or deny"));
    }
    if answer.text.is_none() && answer.choices.is_none() && answer.decision.is_none() {
        return Err(invalid_field(&format!("message.parts[{at}].data"), "must have choices or a text"));
    }
    Ok(Some(answer))
}

/// Adds what a data part says to an answer, or names the wrong field.
fn read_data(answer: &mut Answer, data: &serde_json::Map<String, Value>) -> Result<(), (&'static str, &'static str)> {
    if data.get("question_id").is_some_and(|id| *id != json!(answer.question_id)) {
        return Err(("question_id", "is not the open question"));
    }
    if let Some(decision) = data.get("decision") {
        let decision = serde_json::from_value(decision.clone());
        answer.decision = Some(decision.map_err(|_| ("decision", "must be approve or deny"))?);
    }
    if let Some(choices) = data.get("choices") {
        let choices = serde_json::from_value(choices.clone());
        answer.choices = Some(choices.map_err(|_| ("choices", "must be a list of the labels of options"))?);
    }
    if let Some(text) = data.get("text") {
        answer.text = Some(text.as_str().ok_or(("text", "must be a text"))?.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ::a2a::Role;

    use super::*;
    use crate::agents::contract::Decision;

    fn question(kind: QuestionKind) -> Question {
        let choice = |label: &str| Choice { label: label.to_owned(), description: String::new() };
        let options = if kind == QuestionKind::Input { vec![choice("Red"), choice("Blue")] } else { Vec::new() };
        let details = json!({"command": "rm -rf /"});
        Question { question_id: "q1".to_owned(), kind, text: "May I?".to_owned(), options, details }
    }

    #[test]
    fn the_text_of_a_question_spells_out_its_details_and_options() {
        let text = spell_question(&question(QuestionKind::Approval));
        assert!(text.starts_with("May I?\n\nDetails:\n") && text.contains("rm -rf /"), "{text}");
        assert!(text.ends_with("Answer approve or deny."));
        assert!(spell_question(&question(QuestionKind::Input)).ends_with("Options:\n- Red\n- Blue"));
    }

    #[test]
    fn a_data_part_gives_the_answer_and_a_wrong_one_is_refused() {
        let by = |kind: QuestionKind, parts: Vec<Part>| parse_answer(&question(kind), &Message::new(Role::User, parts));
        let chosen = by(QuestionKind::Input, vec![Part::data(json!({"choices": ["Red", "Blue"]}))]).unwrap().unwrap();
        assert_eq!(chosen.choices, Some(vec!["Red".to_owned(), "Blue".to_owned()]));
        assert_eq!(by(QuestionKind::Input, vec![Part::text("blue")]).unwrap(), None);
        for wrong in
            [json!({"choices": "Red"}), json!({"question_id": "q2", "text": "x"}), json!({"text": 7}), json!({})]
        {
            by(QuestionKind::Input, vec![Part::data(wrong)]).unwrap_err();
        }
        let decided = by(QuestionKind::Approval, vec![Part::data(json!({"decision": "approve"}))]).unwrap().unwrap();
        assert_eq!(decided.decision, Some(Decision::Approve));
        by(QuestionKind::Approval, vec![Part::data(json!({"choices": ["yes"]}))]).unwrap_err();
    }
}
