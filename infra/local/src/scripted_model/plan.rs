//! Which step is due: found anew from each request's messages, so that the model itself remembers nothing.

use serde_json::json;

use super::{
    conversation::Conversation,
    script::{Step, script_in},
    tools::can_write,
};

/// The step to play for a request.
pub(super) fn step(conversation: &Conversation) -> serde_json::Result<Step> {
    if conversation.tools.is_empty() {
        return Ok(aside(conversation));
    }
    for (at, prompt) in conversation.prompts().into_iter().rev() {
        if let Some(script) = script_in(prompt) {
            let turn = conversation.turns_after(at);
            return Ok(script?.into_iter().nth(turn).unwrap_or_else(|| Step::text("done (script exhausted)")));
        }
    }
    Ok(unscripted(conversation))
}

/// Requests without tools come from the helpers of an agent, which make titles and summaries.
fn aside(conversation: &Conversation) -> Step {
    let is_title = conversation.system.to_lowercase().contains("title");
    Step::text(if is_title { "Stub title" } else { "Stub summary of the conversation." })
}

/// What to do for a prompt without a script: keep the prompt in a file, then say so.
fn unscripted(conversation: &Conversation) -> Step {
    let prompts = conversation.prompts();
    let Some((at, prompt)) = prompts.last() else { return Step::text("ok (no script)") };
    let file = if prompts.len() == 1 { "NOTES.md".to_owned() } else { format!("NOTES-{}.md", prompts.len()) };
    let me = "I am the scripted model, which stands in while no model key is set";
    if conversation.turns_after(*at) == 0 && can_write(&conversation.tools) {
        let content = format!("# What was asked\n\n{}\n", prompt.trim());
        let args = json!({"filePath": file, "content": content});
        let say = format!("{me}: I do not think, so I shall only note your prompt in {file}.");
        return Step { tool: Some("write".to_owned()), args, say, ..Step::default() };
    }
    Step::text(format!(
        "{me}. I have put your prompt into {file}; a real model would have done the work. To make me do something else, \
         put a script into the prompt, such as @@STUB [{{\"text\": \"hello\"}}] @@, or set a model key."
    ))
}
