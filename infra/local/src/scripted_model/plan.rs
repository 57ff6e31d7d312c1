//! Which step is due: found anew from each request's messages, so that the model itself remembers nothing.

use serde_json::{Value, json};

use super::script::{Step, script_in};

/// The step to play for a request.
pub(super) fn step(body: &Value) -> serde_json::Result<Step> {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    if body["tools"].as_array().is_none_or(Vec::is_empty) {
        return Ok(aside(messages));
    }
    for (at, message) in messages.iter().enumerate().rev().filter(|(_, message)| message["role"] == "user") {
        if let Some(script) = script_in(&text_of(message)) {
            let turn = turns_after(messages, at);
            return Ok(script?.into_iter().nth(turn).unwrap_or_else(|| Step::text("done (script exhausted)")));
        }
    }
    Ok(unscripted(body, messages))
}

/// Requests without tools come from the helpers of an agent, which make titles and summaries.
fn aside(messages: &[Value]) -> Step {
    let system = messages.iter().filter(|message| message["role"] == "system").map(text_of);
    let title = system.map(|text| text.to_lowercase()).any(|text| text.contains("title"));
    Step::text(if title { "Stub title" } else { "Stub summary of the conversation." })
}

/// What to do for a prompt without a script: keep the prompt in a file, then say so.
fn unscripted(body: &Value, messages: &[Value]) -> Step {
    let prompts: Vec<_> = messages.iter().enumerate().filter(|(_, message)| message["role"] == "user").collect();
    let Some((at, prompt)) = prompts.last() else { return Step::text("ok (no script)") };
    let file = if prompts.len() == 1 { "NOTES.md".to_owned() } else { format!("NOTES-{}.md", prompts.len()) };
    let can_write = body["tools"].as_array().into_iter().flatten().any(|tool| tool["function"]["name"] == "write");
    let me = "I am the scripted model, which stands in while no model key is set";
    if turns_after(messages, *at) == 0 && can_write {
        let content = format!("# What was asked\n\n{}\n", text_of(prompt).trim());
        let args = json!({"filePath": file, "content": content});
        let say = format!("{me}: I do not think, so I shall only note your prompt in {file}.");
        return Step { tool: Some("write".to_owned()), args, say, ..Step::default() };
    }
    Step::text(format!(
        "{me}. I have put your prompt into {file}; a real model would have done the work. To make me do something else, \
         put a script into the prompt, such as @@STUB [{{\"text\": \"hello\"}}] @@, or set a model key."
    ))
}

fn turns_after(messages: &[Value], at: usize) -> usize {
    messages[at + 1..].iter().filter(|message| message["role"] == "assistant").count()
}

/// The text of a message, whose content is a string or a list of parts.
fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().map(|part| part["text"].as_str().unwrap_or_default()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}
