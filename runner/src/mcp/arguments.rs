//! The tools and their arguments. Pure: what a model sends is read here, and refused with a text that it can act on.

use std::{borrow::Cow, sync::Arc};

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde::Deserialize;
use serde_json::{Value, json};

/// The longest question, in characters.
const QUESTION_LENGTH: usize = 8000;
/// How many answers can be offered, and the longest one in characters.
const OPTIONS: usize = 20;
const OPTION_LENGTH: usize = 500;
/// The longest title of an attached file, in characters.
const TITLE_LENGTH: usize = 200;

pub(super) const ASK_PERSON: &str = "ask_person";
pub(super) const ATTACH: &str = "attach";

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

/// The definitions of all tools.
pub(super) fn list_tools() -> Vec<Tool> {
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

/// Neither tool changes anything in the agent's own reach, so that no agent asks for permission to use it.
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
    fn both_tools_are_listed_as_harmless_with_a_closed_schema() {
        let tools = list_tools();
        assert_eq!(tools.iter().map(|tool| tool.name.as_ref()).collect::<Vec<_>>(), [ASK_PERSON, ATTACH]);
        for tool in tools {
            assert_eq!(tool.annotations.unwrap().read_only_hint, Some(true));
            assert_eq!(tool.input_schema["additionalProperties"], false);
        }
    }
}
