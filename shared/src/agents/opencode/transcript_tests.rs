//! The transcript over successive looks.

use proptest::prelude::*;

use super::*;

const ROOT: &str = "/srv/t/s";

fn messages(list: &Value) -> Vec<Message> {
    serde_json::from_value(list.clone()).unwrap()
}

fn step(id: &str, completed: bool, parts: &Value) -> Value {
    let time = if completed { json!({"created": 1, "completed": 2}) } else { json!({"created": 1}) };
    json!({"info": {"id": id, "role": "assistant", "time": time}, "parts": parts})
}

fn tool(id: &str, status: &str) -> Value {
    json!({"id": id, "type": "tool", "tool": "write", "state":
        {"status": status, "input": {"filePath": format!("{ROOT}/{id}.txt")}, "output": "ok", "title": "t"}})
}

/// A run as it grows: what each look sees.
fn growing() -> Vec<Value> {
    let user = json!({"info": {"id": "msg_1", "role": "user"}, "parts": [{"id": "u", "type": "text", "text": "from elsewhere"}]});
    let text = |done: bool| json!({"id": "t1", "type": "text", "text": "Hello", "time": if done { json!({"end": 1}) } else { json!({}) }});
    let patch = json!({"id": "p1", "type": "patch", "files": [format!("{ROOT}/w1.txt"), format!("{ROOT}/by-shell.txt"), "/etc/x"]});
    let last = json!({"id": "t2", "type": "text", "text": "Done"});
    vec![
        json!([user]),
        json!([user, step("msg_2", false, &json!([text(false), tool("w1", "pending")]))]),
        json!([user, step("msg_2", false, &json!([text(true), tool("w1", "running")]))]),
        json!([user, step("msg_2", false, &json!([text(true), tool("w1", "completed")]))]),
        json!([user, step("msg_2", true, &json!([text(true), tool("w1", "completed"), patch]))]),
        json!([
            user,
            step("msg_2", true, &json!([text(true), tool("w1", "completed"), patch])),
            step("msg_3", true, &json!([last]))
        ]),
    ]
}

fn told(looks: &[usize]) -> (Vec<TranscriptEntry>, Cursor) {
    let seen = growing();
    let mut cursor = Cursor::default();
    let entries = looks.iter().flat_map(|look| news(&messages(&seen[*look]), &mut cursor, ROOT)).collect();
    (entries, cursor)
}

fn without_running(entries: &[TranscriptEntry]) -> Vec<String> {
    let passing =
        |entry: &&TranscriptEntry| !matches!(entry, TranscriptEntry::Tool { state, .. } if state == "running");
    let mut texts: Vec<_> = entries.iter().filter(passing).map(|entry| format!("{entry:?}")).collect();
    texts.sort();
    texts
}

#[test]
fn each_entry_is_told_when_it_is_complete() {
    let (entries, cursor) = told(&[0, 1, 2, 3, 4, 5]);
    let kinds: Vec<_> = entries
        .iter()
        .map(|entry| match entry {
            TranscriptEntry::Message { text, .. } => text.clone(),
            TranscriptEntry::Tool { state, .. } => state.clone(),
            TranscriptEntry::FileChanged { path } => path.clone(),
            TranscriptEntry::Log { message, .. } => message.clone(),
        })
        .collect();
    assert_eq!(kinds, ["from elsewhere", "Hello", "running", "completed", "w1.txt", "by-shell.txt", "Done"]);
    assert_eq!((cursor.done.as_str(), cursor.turns, cursor.parts.len()), ("msg_2", 1, 1));
}

proptest! {
    #[test]
    fn however_often_one_looks_the_same_is_told(mut looks in prop::collection::vec(0..6_usize, 0..12)) {
        looks.sort_unstable();
        looks.push(5);
        let (entries, cursor) = told(&looks);
        let (all, last) = told(&[5]);
        prop_assert_eq!(without_running(&entries), without_running(&all));
        prop_assert_eq!(cursor, last);
    }
}

#[test]
fn our_own_words_and_hidden_ones_are_not_told() {
    let ours = format!("msg_0123456789ab{}", ids::suffix(&["x"]));
    let list = json!([
        {"info": {"id": ours, "role": "user"}, "parts": [{"id": "a", "type": "text", "text": "prompt"}]},
        step("msg_2", true, &json!([{"id": "b", "type": "text", "text": "hidden", "synthetic": true}, {"id": "c", "type": "text", "text": " "}])),
    ]);
    assert_eq!(news(&messages(&list), &mut Cursor::default(), ROOT), []);
}

#[test]
fn long_inputs_and_outputs_are_cut_between_characters() {
    let long = "é".repeat(10_000);
    assert!(short(&long, LONGEST).ends_with("more bytes]"));
    let value = json!({"filePath": "a", "content": long});
    let cut = short_value(&value);
    assert_eq!(cut["filePath"], "a");
    assert!(cut.to_string().len() < LONGEST + 200);
    let nested = json!({"edits": vec![json!({"new": long}); 3]});
    assert!(short_value(&nested).to_string().len() < LONGEST + 200);
}

#[test]
fn only_paths_of_the_worktree_are_told() {
    assert_eq!(relative("/srv/t/s/a/b.txt", ROOT), Some("a/b.txt"));
    assert_eq!(relative("a.txt", ROOT), Some("a.txt"));
    assert_eq!(relative("/srv/t/s2/a.txt", ROOT), None);
    assert_eq!(relative("/srv/t/s", ROOT), None);
}

#[test]
fn the_last_text_is_that_of_the_last_step_that_spoke() {
    let list = json!([
        step("msg_1", true, &json!([{"type": "text", "text": "first"}])),
        step("msg_2", true, &json!([{"type": "text", "text": "Done."}, {"type": "text", "text": "Bye."}])),
        step("msg_3", true, &json!([tool("w", "completed")])),
    ]);
    assert_eq!(last_text(&messages(&list)).as_deref(), Some("Done.\n\nBye."));
}
