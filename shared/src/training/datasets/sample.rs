//! Writes a sample as a line of JSON, in the format of the recipe. Pure.

use serde::Serialize;

use crate::kernel::{id::SessionId, session_type::SessionType, text::escape_line_ends};

use super::{
    recipe::{DatasetFormat, SampleCandidate},
    transcript::{ChatMessage, Speaker},
};

/// The origin of a sample.
#[derive(Serialize)]
struct Metadata {
    session_id: SessionId,
    success_rate: f64,
    session_type: SessionType,
}

#[derive(Serialize)]
struct Conversation<'a> {
    messages: &'a [ChatMessage],
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

/// The line, with its line feed: no reader finds another end of a line in it.
pub fn sample_line(format: DatasetFormat, messages: &[ChatMessage], candidate: &SampleCandidate) -> String {
    let metadata =
        Metadata { session_id: candidate.id, success_rate: candidate.success(), session_type: candidate.session_type };
    let line = match format {
        DatasetFormat::Messages => serde_json::to_string(&Conversation { messages, metadata }),
        DatasetFormat::Instruction => serde_json::to_string(&into_instruction(messages, metadata)),
    };
    escape_line_ends(line.expect("text and numbers can be written as JSON")) + "\n"
}

/// The prompt, further user messages, and all assistant messages.
fn into_instruction(messages: &[ChatMessage], metadata: Metadata) -> Instruction {
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

/// An estimate of tokens: one per four bytes.
pub fn estimate_tokens(messages: &[ChatMessage]) -> u64 {
    messages.iter().map(|message| (message.content.len() as u64).div_ceil(4)).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn said(role: Speaker, content: &str) -> ChatMessage {
        ChatMessage { role, content: content.to_owned() }
    }

    #[test]
    fn a_line_has_the_form_that_was_asked_for_and_ends_with_its_only_line_feed() {
        let id = SessionId(Uuid::from_u128(7));
        let candidate = SampleCandidate {
            id,
            root_id: id,
            session_type: SessionType::Debug,
            tags: Vec::new(),
            model: None,
            ended_at: crate::kernel::clock::Time::default(),
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
            (DatasetFormat::Messages, json!({"messages": messages, "metadata": metadata})),
            (
                DatasetFormat::Instruction,
                json!({"instruction": "Fix\nit.", "input": "Sure?", "output": "Done.\n\nYes.", "metadata": metadata}),
            ),
        ] {
            let line = sample_line(format, &messages, &candidate);
            assert_eq!(line.find('\n'), Some(line.len() - 1));
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), wanted);
        }
        let ends = "a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f\u{1c}g\u{1d}h\u{1e}i\rj\nk";
        let line = sample_line(DatasetFormat::Messages, &[said(Speaker::Assistant, ends)], &candidate);
        let is_end = |c: char| {
            matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
        };
        assert_eq!(line.find(is_end), Some(line.len() - 1), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["messages"][0]["content"], ends);
        assert_eq!(estimate_tokens(&messages[1..3]), 2 + 2);
    }
}
