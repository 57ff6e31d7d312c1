use serde_json::json;

use super::*;

fn transcript(events: &[(&str, Value)], result: Option<Value>) -> Transcript {
    Transcript {
        prompt: "Fix the parser.".to_owned(),
        events: events.iter().map(|(kind, payload)| ((*kind).to_owned(), payload.clone())).collect(),
        result,
        too_long: false,
    }
}

fn conversation(events: &[(&str, Value)], result: Option<Value>) -> Option<Vec<(Speaker, String)>> {
    let messages = transcript(events, result).into_conversation(&mut Redactor::default())?;
    Some(messages.into_iter().map(|message| (message.role, message.content)).collect())
}

fn message(role: &str, text: &str) -> (&'static str, Value) {
    ("session.message", json!({"role": role, "text": text, "part": "p"}))
}

#[test]
fn messages_and_tool_calls_become_turns_in_order_without_reasoning() {
    let events = [
        message("reasoning", "I could look at it."),
        message("assistant", "I look at it."),
        ("session.tool", json!({"tool": "bash", "state": "running", "input": {"command": "ls"}})),
        ("session.tool", json!({"tool": "bash", "state": "completed", "input": {"command": "ls"}, "output": "a.rs\n"})),
        message("assistant", "Done."),
        message("user", "And the tests?"),
        ("session.tool", json!({"tool": "bash", "state": "error", "output": "no such file"})),
        message("assistant", "They pass."),
    ];
    let tool = "<tool_use name=\"bash\" state=\"completed\">\n<input>{\"command\":\"ls\"}</input>\n<output>\na.rs\n</output>\n</tool_use>";
    let error = "<tool_use name=\"bash\" state=\"error\">\n<output>\nno such file\n</output>\n</tool_use>";
    let turns = [
        (Speaker::User, "Fix the parser.".to_owned()),
        (Speaker::Assistant, format!("I look at it.\n\n{tool}\n\nDone.")),
        (Speaker::User, "And the tests?".to_owned()),
        (Speaker::Assistant, format!("{error}\n\nThey pass.")),
    ];
    assert_eq!(conversation(&events, None).unwrap(), turns);
}

#[test]
fn a_question_and_its_answer_belong_to_it_and_an_approval_does_not() {
    let events = [
        ("session.question", json!({"kind": "approval", "text": "May I delete it?"})),
        ("session.message", json!({"role": "user", "answer": {"question_id": "q", "decision": "approve"}})),
        ("session.question", json!({"kind": "input", "text": "Which one?"})),
        ("session.message", json!({"role": "user", "answer": {"question_id": "r", "choices": ["a", "b"]}})),
        message("assistant", "Both are done."),
    ];
    let turns = conversation(&events, None).unwrap();
    let text: Vec<_> = turns.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(text, ["Fix the parser.", "Which one?", "a\nb", "Both are done."]);
}

#[test]
fn an_unanswered_message_at_the_end_is_left_out() {
    let events = [message("assistant", "Done."), message("user", "Thanks.")];
    assert_eq!(conversation(&events, None).unwrap().len(), 2);
}

#[test]
fn a_transcript_without_a_response_needs_an_outcome_to_be_a_conversation() {
    let silent = [message("reasoning", "Hm."), message("assistant", " \n "), message("user", "Hello?")];
    assert_eq!(conversation(&silent, None), None);
    assert_eq!(conversation(&[], Some(json!({}))), None);
    assert_eq!(conversation(&[], Some(Value::Null)), None);
    for (result, text) in [
        (json!({"text": "It is fixed."}), "It is fixed."),
        (json!({"summary": "Fixed."}), "Fixed."),
        (json!("Fixed!"), "Fixed!"),
        (json!({"lines": 3}), "{\"lines\":3}"),
    ] {
        assert_eq!(conversation(&[], Some(result)).unwrap()[1], (Speaker::Assistant, text.to_owned()));
    }
    let said = [message("assistant", "Done.")];
    assert_eq!(conversation(&said, Some(json!({"text": "other"}))).unwrap()[1].1, "Done.");
}

#[test]
fn every_part_is_redacted_and_odd_payloads_are_no_conversation() {
    let events = [
        message("assistant", "I wrote to ada@example.org."),
        (
            "session.tool",
            json!({"tool": "mail", "state": "completed", "input": {"to": "ada@example.org"}, "output": "to ada@example.org"}),
        ),
        ("session.message", json!({"role": 3, "text": ["x"]})),
        ("session.tool", json!(null)),
        ("session.log", json!({"message": "ada@example.org"})),
    ];
    let mut redactor = Redactor::default();
    let messages = transcript(&events, None).into_conversation(&mut redactor).unwrap();
    assert!(!serde_json::to_string(&messages).unwrap().contains("ada@"));
    assert_eq!(redactor.counts()["email"], 3);
}
