//! What a client of A2A says, as a session to be made or as something said to one. Pure.

use ::a2a::{A2AError, FieldViolation, Message, PartContent, TypedDetail};
use serde_json::{Map, Value, json};

use crate::{
    error::Error,
    runtime::{Answer, Decision, QuestionKind, Said},
    session::{
        Session,
        draft::{Draft, Raw, prompt},
        status::Status,
    },
};

use super::Refusal;

/// The longest id that a client may give, in characters.
const LONGEST_ID: usize = 255;

/// The longest title that is made of a prompt, in characters.
const TITLE: usize = 100;

/// A field of the request that is refused.
pub fn refused(field: &str, why: &str) -> A2AError {
    let violation = FieldViolation { field: field.to_owned(), description: why.to_owned() };
    A2AError::invalid_params(format!("{field} {why}")).with_details(vec![TypedDetail::bad_request(vec![violation])])
}

/// Refuses a message whose ids could not be kept.
pub fn check(message: &Message) -> Result<(), A2AError> {
    let good = |id: &str| (1..=LONGEST_ID).contains(&id.chars().count()) && !id.chars().any(char::is_control);
    if !good(&message.message_id) {
        return Err(refused("message.messageId", "must have 1 to 255 characters"));
    }
    match &message.context_id {
        Some(context) if !context.is_empty() && !good(context) => {
            Err(refused("message.contextId", "must have at most 255 characters"))
        }
        _ => Ok(()),
    }
}

/// The words of a message. Files are for the workspace, not for the prompt.
pub fn text(message: &Message) -> Result<String, A2AError> {
    let mut words = Vec::new();
    for part in &message.parts {
        match &part.content {
            PartContent::Text(text) => words.push(text.clone()),
            PartContent::Data(data) => words.push(data.to_string()),
            PartContent::Raw(_) | PartContent::Url(_) => return Err(A2AError::content_type_not_supported()),
        }
    }
    let text = words.join("\n");
    prompt(&text).map_err(|why| refused("message.parts", &why))
}

/// The session that a message makes. What else it is to be may stand in the message's metadata under `ioc`, named as the
/// fields of `POST /sessions`.
pub fn draft(message: &Message) -> Result<Draft, Refusal> {
    let prompt = text(message)?;
    let named = message.metadata.as_ref().and_then(|metadata| metadata.get("ioc")).cloned().map(whole);
    let named = match named {
        Some(Value::Object(named)) => named,
        _ => Map::new(),
    };
    let text = |field: &str| named.get(field).and_then(Value::as_str).map(str::to_owned);
    let told = json!({"context_id": message.context_id.as_deref().filter(|id| !id.is_empty()), "message_id": message.message_id});
    let workspace = named.get("workspace").filter(|value| !value.is_null()).cloned().map(serde_json::from_value);
    let raw = Raw {
        title: text("title").unwrap_or_else(|| title(&prompt)),
        initial_prompt: prompt,
        description: text("description"),
        session_type: text("session_type"),
        priority: named.get("priority").filter(|value| !value.is_null()).cloned(),
        model_identifier: text("model_identifier"),
        agent_config: named.get("agent_config").and_then(Value::as_object).cloned(),
        workspace: workspace
            .transpose()
            .map_err(|_| refused("message.metadata.ioc.workspace", "is not a workspace"))?,
        max_duration_seconds: named.get("max_duration_seconds").and_then(Value::as_i64),
        cpu_limit: named.get("cpu_limit").and_then(Value::as_f64),
        memory_limit_mb: named.get("memory_limit_mb").and_then(Value::as_i64),
        tags: named.get("tags").and_then(|tags| serde_json::from_value(tags.clone()).ok()),
        parent_id: None,
        metadata: Some(Map::from_iter([("a2a".to_owned(), told)])),
    };
    Draft::parse(raw).map_err(Refusal::from)
}

/// Protobuf knows no whole numbers in free JSON: what comes as 300.0 was a 300.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and fits")]
            let exact = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15).map(|n| n as i64);
            exact.map_or(Value::Number(number), Value::from)
        }
        Value::Array(values) => values.into_iter().map(whole).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, whole(value))).collect(),
        other => other,
    }
}

/// The first line of a prompt that says something, as a title.
fn title(prompt: &str) -> String {
    let printable =
        |line: &str| line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TITLE).collect::<String>();
    let lines = prompt.lines().map(printable).map(|line| line.trim().to_owned());
    let first = lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default();
    let good = Draft::parse(Raw { title: first.clone(), initial_prompt: "x".to_owned(), ..Raw::default() }).is_ok();
    if good { first } else { format!("A task by A2A: {first}") }
}

/// What a message says to a session that is there: the answer to what it asks, or something further.
pub fn said(session: &Session, message: &Message) -> Result<Said, Refusal> {
    let text = text(message)?;
    if let Some(context) = message.context_id.as_deref().filter(|id| !id.is_empty())
        && context != super::context(session)
    {
        return Err(refused("message.contextId", "is not the context of the task").into());
    }
    let question = session.pause_question.as_ref().filter(|_| session.status == Status::Paused);
    let Some(question) = question else { return Ok(Said::Text { text }) };
    let decision = match question.kind {
        QuestionKind::Approval => Some(decision(&text)?),
        QuestionKind::Input | QuestionKind::Auth => None,
    };
    let answer = Answer { question_id: question.question_id.clone(), decision, choices: None, text: Some(text) };
    Ok(Said::Answer { answer })
}

/// Whether it is a yes or a no; nothing is approved by words that may mean either.
fn decision(text: &str) -> Result<Decision, Error> {
    let word = text.trim().trim_end_matches(['.', '!']).to_lowercase();
    match word.as_str() {
        "approve" | "approved" | "yes" | "allow" => Ok(Decision::Approve),
        "deny" | "denied" | "no" | "reject" => Ok(Decision::Deny),
        _ => Err(Error::field("message.parts", "must be approve or deny: the task asks for an approval")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_line_that_says_something() {
        assert_eq!(title("\n  Fix the parser\nIt loops."), "Fix the parser");
        assert_eq!(title("untitled"), "A task by A2A: untitled");
        assert_eq!(title(&"x".repeat(500)).chars().count(), TITLE);
    }

    #[test]
    fn whole_numbers_are_whole_however_they_come() {
        assert_eq!(whole(json!({"a": [300.0, 0.5, 7]})), json!({"a": [300, 0.5, 7]}));
    }

    #[test]
    fn only_clear_words_approve() {
        assert_eq!(decision(" Approve. ").unwrap(), Decision::Approve);
        assert_eq!(decision("no").unwrap(), Decision::Deny);
        decision("yes, but not the second").unwrap_err();
    }
}
