//! The tools and their arguments. Pure: what a model sends is read here, and refused with a text that it can act on.

use std::{borrow::Cow, sync::Arc};

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The longest question, in characters.
const QUESTION_LENGTH: usize = 8000;
/// How many answers can be offered, and the longest one in characters.
const OPTIONS: usize = 20;
const OPTION_LENGTH: usize = 500;
/// The longest title of an attached file or a session, in characters.
const TITLE_LENGTH: usize = 200;
/// The longest prompt of a session, in characters.
const PROMPT_LENGTH: usize = 50_000;
/// How many sessions can be waited for at once.
const SESSIONS: usize = 20;

pub(super) const ASK_PERSON: &str = "ask_person";
pub(super) const ATTACH: &str = "attach";
pub(super) const SPAWN_SESSION: &str = "spawn_session";
pub(super) const WAIT_FOR: &str = "wait_for";

/// A question to the person for whom the agent works.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonQuestion {
    /// The text of the question.
    pub question: String,
    /// The answers to choose from; any text is an answer as well.
    #[serde(default)]
    pub options: Vec<String>,
}

/// A file of the workspace that becomes an artifact of the session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachedFile {
    /// As the agent names it: absolute, or relative to the folder in which it began.
    pub path: String,
    /// For people.
    pub title: String,
    /// Whether it shows that the work was done, such as a screenshot.
    #[serde(default)]
    pub proof: bool,
}

/// A session to be created for a part of the work.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildPrompt {
    pub prompt: String,
    /// For people.
    #[serde(default)]
    pub title: Option<String>,
}

/// The sessions whose end the agent waits for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwaitedSessions {
    /// Their ids; all that the agent has created where it names none.
    #[serde(default)]
    pub sessions: Vec<String>,
}

/// The definitions of all tools.
pub(super) fn list_tools() -> Vec<Tool> {
    let mut tools = list_own_tools();
    tools.extend(list_session_tools());
    tools
}

fn list_session_tools() -> [Tool; 2] {
    let child = json!({
        "type": "object",
        "properties": {
            "prompt": {"type": "string", "description": "What is to be done, understandable on its own."},
            "title": {"type": "string", "description": "The work in a few words, for people."},
        },
        "required": ["prompt"],
        "additionalProperties": false,
    });
    let awaited = json!({
        "type": "object",
        "properties": {
            "sessions": {"type": "array", "items": {"type": "string"}, "maxItems": SESSIONS,
                "description": "Their ids. By default all sessions that you have created."},
        },
        "additionalProperties": false,
    });
    [
        define(
            SPAWN_SESSION,
            "Gives a part of your work to another session, which runs beside yours with an agent of its own, and returns \
             its id. It begins in the same environment and workspace as you did, and knows neither your files nor your \
             conversation. Do not create one for what you can do yourself in the same time.",
            child,
        ),
        define(
            WAIT_FOR,
            "Waits until sessions that you have created are over, and returns what each came to. It may take an hour. If \
             the call is interrupted, repeat it with the same sessions.",
            awaited,
        ),
    ]
}

fn list_own_tools() -> Vec<Tool> {
    let question = json!({
        "type": "object",
        "properties": {
            "question": {"type": "string", "description": "What you need to know, understandable on its own."},
            "options": {"type": "array", "items": {"type": "string"}, "maxItems": OPTIONS,
                "description": "The answers to choose from, if there are few."},
        },
        "required": ["question"],
        "additionalProperties": false,
    });
    let file = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "The path of the file, absolute or relative to your folder."},
            "title": {"type": "string", "description": "What the file shows, in a few words."},
            "proof": {"type": "boolean", "description": "Whether it proves that the work is done, as a screenshot does."},
        },
        "required": ["path", "title"],
        "additionalProperties": false,
    });
    vec![
        define(
            ASK_PERSON,
            "Asks the person for whom you work, waits for the answer, and returns it. Ask only for what you can neither \
             find out nor decide yourself. If the call is interrupted, repeat it with the same question.",
            question,
        ),
        define(
            ATTACH,
            "Attaches a file of your workspace to the result of your work, such as a report or a screenshot. Changes of \
             files in the repository are delivered without it.",
            file,
        ),
    ]
}

/// No tool changes anything in the agent's own reach, so that no agent asks for permission to use it.
fn define(name: &'static str, description: &'static str, schema: Value) -> Tool {
    let schema: JsonObject = match schema {
        Value::Object(members) => members,
        _ => JsonObject::new(),
    };
    let harmless = ToolAnnotations::new().read_only(true).destructive(false).open_world(false);
    Tool::new(Cow::Borrowed(name), Cow::Borrowed(description), Arc::new(schema)).with_annotations(harmless)
}

impl PersonQuestion {
    /// Reads the arguments of `ask_person`.
    pub(super) fn parse(arguments: JsonObject) -> Result<Self, String> {
        let mut asked: Self = read(arguments)?;
        asked.question = read_text("question", &asked.question, QUESTION_LENGTH)?;
        if asked.options.len() > OPTIONS {
            return Err(format!("options must be at most {OPTIONS}"));
        }
        for option in &mut asked.options {
            *option = read_text("an option", option, OPTION_LENGTH)?;
        }
        Ok(asked)
    }
}

impl AttachedFile {
    /// Reads the arguments of `attach`.
    pub(super) fn parse(arguments: JsonObject) -> Result<Self, String> {
        let mut file: Self = read(arguments)?;
        file.title = read_text("title", &file.title, TITLE_LENGTH)?;
        Ok(file)
    }
}

impl ChildPrompt {
    /// Reads the arguments of `spawn_session`.
    pub(super) fn parse(arguments: JsonObject) -> Result<Self, String> {
        let mut child: Self = read(arguments)?;
        child.prompt = read_text("prompt", &child.prompt, PROMPT_LENGTH)?;
        child.title = child.title.map(|title| read_text("title", &title, TITLE_LENGTH)).transpose()?;
        Ok(child)
    }

    /// The same for equal prompts.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.title.as_deref().unwrap_or_default());
        hash.update([0]);
        hash.update(&self.prompt);
        hex::encode(&hash.finalize()[..16])
    }
}

impl AwaitedSessions {
    /// Reads the arguments of `wait_for`.
    pub(super) fn parse(arguments: JsonObject) -> Result<Self, String> {
        let mut awaited: Self = read(arguments)?;
        for id in &mut awaited.sessions {
            *id = id.trim().to_ascii_lowercase();
        }
        if let Some(wrong) = awaited.sessions.iter().find(|id| !is_session_id(id)) {
            return Err(format!("{wrong:?} is no id of a session"));
        }
        awaited.sessions.dedup();
        if awaited.sessions.len() > SESSIONS {
            return Err(format!("sessions must be at most {SESSIONS}"));
        }
        Ok(awaited)
    }
}

fn is_session_id(text: &str) -> bool {
    let fits =
        |(at, byte): (usize, u8)| if [8, 13, 18, 23].contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

fn read<T: for<'a> Deserialize<'a>>(arguments: JsonObject) -> Result<T, String> {
    T::deserialize(Value::Object(arguments)).map_err(|error| format!("the arguments are wrong: {error}"))
}

/// A text without NULs, which nothing behind the runner stores.
fn read_text(name: &str, text: &str, longest: usize) -> Result<String, String> {
    let text = text.replace('\0', "").trim().to_owned();
    if text.is_empty() || text.chars().count() > longest {
        return Err(format!("{name} must have 1 to {longest} characters"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(value: Value) -> JsonObject {
        let Value::Object(members) = value else { panic!("no object") };
        members
    }

    #[test]
    fn a_question_is_read_with_its_options() {
        let asked = PersonQuestion::parse(arguments(json!({"question": " Which\0? ", "options": ["a", " b "]})));
        let expected = PersonQuestion { question: "Which?".into(), options: vec!["a".into(), "b".into()] };
        assert_eq!(asked, Ok(expected));
    }

    #[test]
    fn wrong_arguments_are_refused_with_what_is_wrong() {
        for (value, expected) in [
            (json!({}), "missing field `question`"),
            (json!({"question": "  "}), "question must have 1 to 8000 characters"),
            (json!({"question": "x".repeat(8001)}), "question must have 1 to 8000 characters"),
            (json!({"question": "x", "options": vec!["x"; 21]}), "options must be at most 20"),
            (json!({"question": "x", "options": [""]}), "an option must have 1 to 500 characters"),
            (json!({"question": "x", "answer": "y"}), "unknown field `answer`"),
        ] {
            let error = PersonQuestion::parse(arguments(value)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let error = AttachedFile::parse(arguments(json!({"path": "a", "title": "x".repeat(201)}))).unwrap_err();
        assert!(error.contains("title must have 1 to 200 characters"), "{error}");
    }

    #[test]
    fn a_session_is_read_with_its_title_and_named_by_both() {
        let child = ChildPrompt::parse(arguments(json!({"prompt": " Do a part. ", "title": "A part"}))).unwrap();
        assert_eq!((child.prompt.as_str(), child.title.as_deref()), ("Do a part.", Some("A part")));
        let untitled = ChildPrompt::parse(arguments(json!({"prompt": "Do a part."}))).unwrap();
        assert_ne!(child.fingerprint(), untitled.fingerprint());
        assert_eq!(untitled.fingerprint(), untitled.clone().fingerprint());
        for (value, expected) in [
            (json!({}), "missing field `prompt`"),
            (json!({"prompt": " "}), "prompt must have 1 to 50000 characters"),
            (json!({"prompt": "x", "title": " "}), "title must have 1 to 200 characters"),
        ] {
            let error = ChildPrompt::parse(arguments(value)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn sessions_to_wait_for_are_ids_or_absent() {
        let id = "01a20500-0000-7000-8000-00000000000a";
        let read = |value: Value| AwaitedSessions::parse(arguments(value));
        assert_eq!(read(json!({})).unwrap().sessions, [""; 0]);
        assert_eq!(read(json!({"sessions": [format!(" {} ", id.to_uppercase())]})).unwrap().sessions, [id]);
        assert!(read(json!({"sessions": ["the first"]})).unwrap_err().contains("is no id of a session"));
        let many: Vec<_> = (0..21).map(|number| format!("01a20500-0000-7000-8000-0000000000{number:02}")).collect();
        assert!(read(json!({"sessions": many})).unwrap_err().contains("at most 20"));
    }

    #[test]
    fn all_tools_are_listed_as_harmless_with_a_closed_schema() {
        let tools = list_tools();
        let names = [ASK_PERSON, ATTACH, SPAWN_SESSION, WAIT_FOR];
        assert_eq!(tools.iter().map(|tool| tool.name.as_ref()).collect::<Vec<_>>(), names);
        for tool in tools {
            assert_eq!(tool.annotations.unwrap().read_only_hint, Some(true));
            assert_eq!(tool.input_schema["additionalProperties"], false);
        }
    }
}
