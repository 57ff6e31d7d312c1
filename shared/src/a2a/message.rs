//! Converts messages of A2A clients to new sessions, and to messages for existing ones. Pure.

use ::a2a::{A2AError, Message, PartContent, error_code};
use serde_json::{Map, Value, json};

use crate::{
    agents::contract::UserMessage,
    sessions::{
        Session,
        draft::{SessionDraft, SessionInput},
        fields::parse_prompt,
        transitions::answer,
    },
};

use super::{A2aRefusal, field_error::invalid_field, question::parse_answer};

/// The longest id that a client may assign, in characters.
const LONGEST_ID: usize = 255;

/// The longest title taken from a prompt, in characters.
const TITLE: usize = 100;

/// Rejects a message whose ids cannot be stored.
pub fn check_message(message: &Message) -> Result<(), A2AError> {
    let good = |id: &str| (1..=LONGEST_ID).contains(&id.chars().count()) && !id.chars().any(char::is_control);
    if !good(&message.message_id) {
        return Err(invalid_field("message.messageId", "must have 1 to 255 characters"));
    }
    match &message.context_id {
        Some(context) if !context.is_empty() && !good(context) => {
            Err(invalid_field("message.contextId", "must have at most 255 characters"))
        }
        _ => Ok(()),
    }
}

/// The text of a message: its texts, its data as JSON, and its text files under their names.
pub fn message_text(message: &Message) -> Result<String, A2AError> {
    let words = join_parts(message)?;
    parse_prompt(&words).map_err(|why| invalid_field("message.parts", &format!("{why}, with the text files in it")))
}

fn join_parts(message: &Message) -> Result<String, A2AError> {
    let mut words = Vec::new();
    for (at, part) in message.parts.iter().enumerate() {
        match (&part.content, &part.filename) {
            (PartContent::Text(text), None) => words.push(text.clone()),
            (PartContent::Text(text), Some(name)) => words.push(attach(name, text)),
            (PartContent::Data(data), _) => words.push(data.to_string()),
            (PartContent::Raw(content), name) => {
                let kind = part.media_type.as_deref().unwrap_or("unknown");
                let text = std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'));
                let why = || format!("is a file of the type {kind} and no text");
                words.push(attach(name.as_deref().unwrap_or("file"), text.ok_or_else(|| refused_part(at, &why()))?));
            }
            (PartContent::Url(_), _) => return Err(refused_part(at, "is a URL, which is not fetched")),
        }
    }
    Ok(words.join("\n"))
}

fn refused_part(at: usize, why: &str) -> A2AError {
    A2AError::new(error_code::CONTENT_TYPE_NOT_SUPPORTED, format!("message.parts[{at}] {why}."))
}

/// A text file as a part of a prompt. The fence is longer than any in the file.
fn attach(name: &str, content: &str) -> String {
    let longest = content.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let name: String = name.chars().filter(|c| !c.is_control() && *c != '`').take(LONGEST_ID).collect();
    let end = if content.ends_with('\n') { "" } else { "\n" };
    format!("\nThe attached file `{name}`:\n{fence}\n{content}{end}{fence}")
}

/// The session that a message creates. The message's metadata may hold further fields under `ioc`, named as those of
/// `POST /sessions`.
pub fn parse_draft(message: &Message) -> Result<SessionDraft, A2aRefusal> {
    let prompt = message_text(message)?;
    let named = SessionFields::of(message)?;
    let a2a = json!({"context_id": message.context_id.as_deref().filter(|id| !id.is_empty()), "message_id": message.message_id});
    let text = |field: &str| named.read(field, "must be a text", |value| value.as_str().map(str::to_owned));
    let integer = |field: &str| named.read(field, "must be a whole number", Value::as_i64);
    let input = SessionInput {
        title: text("title")?.unwrap_or_else(|| title_of(&prompt)),
        initial_prompt: prompt,
        description: text("description")?,
        session_type: text("session_type")?,
        priority: named.read("priority", "is not a priority", |value| Some(value.clone()))?,
        model_identifier: text("model_identifier")?,
        agent_config: named.read("agent_config", "must be an object", |value| value.as_object().cloned())?,
        workspace: named.read("workspace", "is not a workspace", |value| serde_json::from_value(value.clone()).ok())?,
        environment: text("environment")?,
        max_duration_seconds: integer("max_duration_seconds")?,
        cpu_limit: named.read("cpu_limit", "must be a number", Value::as_f64)?,
        memory_limit_mb: integer("memory_limit_mb")?,
        tags: named.read("tags", "must be a list of texts", |value| serde_json::from_value(value.clone()).ok())?,
        parent_id: None,
        metadata: Some(Map::from_iter([("a2a".to_owned(), a2a)])),
        start: true,
    };
    SessionDraft::parse(input).map_err(A2aRefusal::from)
}

/// The names of the fields that a message may give to a new session.
const SESSION_FIELDS: [&str; 12] = [
    "agent_config",
    "cpu_limit",
    "description",
    "environment",
    "max_duration_seconds",
    "memory_limit_mb",
    "model_identifier",
    "priority",
    "session_type",
    "tags",
    "title",
    "workspace",
];

/// The fields of a new session in the metadata of a message.
struct SessionFields(Map<String, Value>);

impl SessionFields {
    /// Refuses what is no object, and a name that is none of the fields.
    fn of(message: &Message) -> Result<Self, A2AError> {
        let sent = message.metadata.as_ref().and_then(|metadata| metadata.get("ioc"));
        let fields = match sent.cloned().map(integers_of) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err(invalid_field("message.metadata.ioc", "must be an object")),
        };
        match fields.keys().find(|name| !SESSION_FIELDS.contains(&name.as_str())) {
            Some(name) => {
                let name: String = name.chars().take(60).collect();
                let why = format!("is not one of {}", SESSION_FIELDS.join(", "));
                Err(invalid_field(&format!("message.metadata.ioc.{name}"), &why))
            }
            None => Ok(Self(fields)),
        }
    }

    fn read<T>(&self, field: &str, why: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, A2AError> {
        let sent = self.0.get(field).filter(|value| !value.is_null());
        let refusal = || invalid_field(&format!("message.metadata.ioc.{field}"), why);
        sent.map(|value| read(value).ok_or_else(refusal)).transpose()
    }
}

/// Protobuf JSON has no integers in free-form values, so 300 may arrive as 300.0.
fn integers_of(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and fits")]
            let exact = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15).map(|n| n as i64);
            exact.map_or(Value::Number(number), Value::from)
        }
        Value::Array(values) => values.into_iter().map(integers_of).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, integers_of(value))).collect(),
        other => other,
    }
}

/// The first non-empty line of a prompt, as a title.
fn title_of(prompt: &str) -> String {
    let printable =
        |line: &str| line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TITLE).collect::<String>();
    let lines = prompt.lines().map(printable).map(|line| line.trim().to_owned());
    let first = lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default();
    let input = SessionInput { title: first.clone(), initial_prompt: "x".to_owned(), ..SessionInput::default() };
    let good = SessionDraft::parse(input).is_ok();
    if good { first } else { format!("A task by A2A: {first}") }
}

/// The message for an existing session. If the session waits for an answer, a data part with it is the answer, or else
/// the text.
pub fn parse_user_message(session: &Session, message: &Message) -> Result<UserMessage, A2aRefusal> {
    if let Some(context) = message.context_id.as_deref().filter(|id| !id.is_empty())
        && context != super::context_id(session)
    {
        return Err(invalid_field("message.contextId", "is not the context of the task").into());
    }
    if let Some(question) = &session.pause.question
        && let Some(answer) = parse_answer(question, message)?
    {
        return Ok(UserMessage::Answer { answer });
    }
    let text = message_text(message)?;
    if answer::is_ambiguous(session, &text) {
        return Err(invalid_field("message.parts", "must be approve or deny: the task asks for an approval").into());
    }
    Ok(UserMessage::Text { text })
}

#[cfg(test)]
mod tests {
    use ::a2a::{Part, Role};

    use super::*;

    #[test]
    fn a_title_is_the_first_line_that_says_something() {
        assert_eq!(title_of("\n  Fix the parser\nIt loops."), "Fix the parser");
        assert_eq!(title_of("untitled"), "A task by A2A: untitled");
        assert_eq!(title_of(&"x".repeat(500)).chars().count(), TITLE);
    }

    #[test]
    fn whole_numbers_are_whole_however_they_come() {
        assert_eq!(integers_of(json!({"a": [300.0, 0.5, 7]})), json!({"a": [300, 0.5, 7]}));
    }

    #[test]
    fn a_text_file_becomes_a_named_part_of_the_prompt() {
        let part = |content: &[u8]| Part::raw(content.to_vec()).with_filename("notes/a.md");
        let read = |parts: Vec<Part>| message_text(&Message::new(Role::User, parts));
        let text = read(vec![Part::text("Read it."), part(b"one\n```\ntwo")]).unwrap();
        assert_eq!(text, "Read it.\n\nThe attached file `notes/a.md`:\n````\none\n```\ntwo\n````");
        for refused in [part(b"\xff\xfe"), part(b"a\0b"), Part::url("https://example.com/x")] {
            let error = read(vec![Part::text("Read it."), refused]).unwrap_err();
            assert!(error.message.starts_with("message.parts[1] is a "), "{}", error.message);
            assert_eq!(error.code, error_code::CONTENT_TYPE_NOT_SUPPORTED);
        }
        read(vec![part("x".repeat(100_001).as_bytes())]).unwrap_err();
    }

    #[test]
    fn a_wrong_field_of_a_new_session_is_refused_by_its_name() {
        let refusal = |ioc: Value| {
            let metadata = Some([("ioc".to_owned(), ioc)].into());
            match parse_draft(&Message { metadata, ..Message::new(Role::User, vec![Part::text("Do it.")]) }) {
                Err(A2aRefusal::Protocol(error)) => error.message,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refusal(json!("x")), "message.metadata.ioc must be an object");
        assert!(refusal(json!({"sandbox": true})).starts_with("message.metadata.ioc.sandbox is not one of"));
        for (field, value) in [
            ("title", json!(7)),
            ("agent_config", json!([])),
            ("tags", json!({"a": 1})),
            ("tags", json!([1])),
            ("max_duration_seconds", json!(1.5)),
            ("max_duration_seconds", json!("60")),
            ("cpu_limit", json!("1")),
            ("workspace", json!("x")),
        ] {
            let words = refusal(json!({field: value}));
            assert!(words.starts_with(&format!("message.metadata.ioc.{field} ")), "{words}");
        }
        let good = json!({"max_duration_seconds": 60.0, "tags": ["a"], "title": null});
        let metadata = Some([("ioc".to_owned(), good)].into());
        parse_draft(&Message { metadata, ..Message::new(Role::User, vec![Part::text("Do it.")]) }).unwrap();
    }
}
