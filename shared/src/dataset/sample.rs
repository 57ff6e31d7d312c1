//! One sample as a line of JSON, in the form that the recipe asks for. Pure.

use serde::Serialize;

use crate::{id::SessionId, session::SessionType};

use super::{
    recipe::{Candidate, Format},
    transcript::{Message, Speaker},
};

/// What a line says of where it comes from.
#[derive(Serialize)]
struct Metadata {
    session_id: SessionId,
    success_rate: f64,
    session_type: SessionType,
}

#[derive(Serialize)]
struct Conversation<'a> {
    messages: &'a [Message],
    metadata: Metadata,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the form is not ours")]
struct Instruction {
    instruction: String,
    input: String,
    output: String,
    metadata: Metadata,
}

/// The line, with its line feed.
pub fn line(format: Format, messages: &[Message], candidate: &Candidate) -> String {
    let metadata =
        Metadata { session_id: candidate.id, success_rate: candidate.success(), session_type: candidate.session_type };
    let line = match format {
        Format::Messages => serde_json::to_string(&Conversation { messages, metadata }),
        Format::Instruction => serde_json::to_string(&instruction(messages, metadata)),
    };
    line.expect("text and numbers can be written as JSON") + "\n"
}

/// The prompt, what people said besides, and all that was said and done for it.
fn instruction(messages: &[Message], metadata: Metadata) -> Instruction {
    let of = |role: Speaker| {
        messages.iter().filter(move |message| message.role == role).map(|message| message.content.as_str())
    };
    let mut asked = of(Speaker::User);
    Instruction {
        instruction: asked.next().unwrap_or_default().to_owned(),
        input: asked.collect::<Vec<_>>().join("\n\n"),
        output: of(Speaker::Assistant).collect::<Vec<_>>().join("\n\n"),
        metadata,
    }
}

/// About how many tokens that is: one for every four bytes.
pub fn tokens(messages: &[Message]) -> u64 {
    messages.iter().map(|message| (message.content.len() as u64).div_ceil(4)).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn said(role: Speaker, content: &str) -> Message {
        Message { role, content: content.to_owned() }
    }

    #[test]
    fn a_line_has_the_form_that_was_asked_for_and_ends_with_its_only_line_feed() {
        let id = SessionId(Uuid::from_u128(7));
        let candidate = Candidate {
            id,
            root_id: id,
            session_type: SessionType::Debug,
            tags: Vec::new(),
            model: None,
            ended_at: crate::clock::Time::default(),
            success_rate: None,
        };
        let messages = [
            said(Speaker::System, "Be brief."),
            said(Speaker::User, "Fix\nit."),
            said(Speaker::Assistant, "Done."),
            said(Speaker::User, "Sure?"),
            said(Speaker::Assistant, "Yes."),
        ];
        let metadata = json!({"session_id": id, "success_rate": 1.0, "session_type": "debug"});
        for (format, wanted) in [
            (Format::Messages, json!({"messages": messages, "metadata": metadata})),
            (
                Format::Instruction,
                json!({"instruction": "Fix\nit.", "input": "Sure?", "output": "Done.\n\nYes.", "metadata": metadata}),
            ),
        ] {
            let line = line(format, &messages, &candidate);
            assert_eq!(line.find('\n'), Some(line.len() - 1));
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), wanted);
        }
        assert_eq!(tokens(&messages[1..3]), 2 + 2);
    }
}
