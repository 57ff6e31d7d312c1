//! Removes secrets from what an agent shows, once, before a transaction writes any of it.
//!
//! Texts are bounded: what is beyond the bound is cut, and the cut is shown.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    agents::contract::{Finish, Observation, Phase, Question, RunOutput, TranscriptEntry},
    kernel::{redact, text},
};

/// The longest text that is kept of an agent, in bytes.
pub const MAX_TEXT: usize = 256 << 10;

/// A cut may divide a secret, so this much more is examined.
const MARGIN: usize = 8 << 10;

impl Observation {
    /// The observation without secrets.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        self.transcript.iter_mut().for_each(redact_entry);
        match &mut self.phase {
            Phase::Starting | Phase::Working => {}
            Phase::Limited { message, .. } => redact_string(message),
            Phase::Waiting(question) => redact_question(question),
            Phase::Finished(finish) => redact_finish(finish),
        }
        self
    }

    /// The size of its texts in bytes.
    pub fn text_bytes(&self) -> usize {
        let entries: usize = self.transcript.iter().map(entry_bytes).sum();
        let phase = match &self.phase {
            Phase::Limited { message, .. } => message.len(),
            Phase::Waiting(question) => question.text.len() + value_bytes(&question.details),
            Phase::Finished(Finish::Completed { result, .. } | Finish::Partial { result, .. }) => value_bytes(result),
            Phase::Starting | Phase::Working | Phase::Finished(Finish::Failed(_) | Finish::Aborted) => 0,
        };
        entries + phase
    }
}

impl RunOutput {
    /// The output without secrets in its summary. Files and patches stay exact.
    #[must_use]
    pub fn with_redacted_summary(mut self) -> Self {
        redact_string(&mut self.summary);
        self
    }
}

fn redact_entry(entry: &mut TranscriptEntry) {
    match entry {
        TranscriptEntry::Log { message, .. } => redact_string(message),
        TranscriptEntry::Message { role, text, part } => [role, text, part].into_iter().for_each(redact_string),
        TranscriptEntry::Tool { tool, state, title, input, output, part } => {
            [tool, state, title, part].into_iter().for_each(redact_string);
            output.iter_mut().for_each(redact_string);
            input.iter_mut().for_each(redact_json);
        }
        TranscriptEntry::FileChanged { path } => {
            redact_string(path);
            *path = text::to_visible_name(std::mem::take(path));
        }
    }
}

fn redact_question(question: &mut Question) {
    redact_string(&mut question.text);
    redact_json(&mut question.details);
    for option in &mut question.options {
        redact_string(&mut option.label);
        redact_string(&mut option.description);
    }
}

fn redact_finish(finish: &mut Finish) {
    match finish {
        Finish::Completed { result, .. } | Finish::Partial { result, .. } => redact_json(result),
        // A failure is redacted where it is created.
        Finish::Failed(_) | Finish::Aborted => {}
    }
}

/// Redacts JSON of an agent or a caller. Its texts are bounded, and NUL characters, which cannot be stored, replaced.
pub fn redact_json(value: &mut Value) {
    bound_texts(value);
    redact::mask_in_place(value, &mut |_| {});
    *value = text::without_nul(value.take());
    bound_texts(value);
}

fn redact_string(found: &mut String) {
    cut_text(found, MAX_TEXT + MARGIN);
    let clean = text::of_no_nul(redact::redact_owned(std::mem::take(found)));
    *found = clean;
    cut_text(found, MAX_TEXT);
}

fn bound_texts(value: &mut Value) {
    match value {
        Value::String(text) => cut_text(text, MAX_TEXT + MARGIN),
        Value::Array(values) => values.iter_mut().for_each(bound_texts),
        Value::Object(fields) => fields.values_mut().for_each(bound_texts),
        _ => {}
    }
}

/// Cuts a text and shows how much is missing.
fn cut_text(text: &mut String, longest: usize) {
    if text.len() <= longest {
        return;
    }
    let end = text.floor_char_boundary(longest);
    let missing = text.len() - end;
    text.truncate(end);
    let _ = write!(text, "\n[{missing} more bytes]");
}

fn entry_bytes(entry: &TranscriptEntry) -> usize {
    match entry {
        TranscriptEntry::Log { message, .. } => message.len(),
        TranscriptEntry::Message { text, .. } => text.len(),
        TranscriptEntry::Tool { title, input, output, .. } => {
            title.len() + output.as_ref().map_or(0, String::len) + input.as_ref().map_or(0, value_bytes)
        }
        TranscriptEntry::FileChanged { path } => path.len(),
    }
}

/// The size of the texts in JSON, in bytes.
pub fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(value_bytes).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + value_bytes(value)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_beyond_the_bound_is_cut_and_the_cut_is_shown() {
        let mut text = "ä ".repeat(MAX_TEXT);
        redact_string(&mut text);
        assert!(text.len() <= MAX_TEXT + 40, "{} bytes", text.len());
        assert!(text.ends_with(" more bytes]"), "{}", &text[text.len() - 40..]);
    }

    #[test]
    fn a_secret_at_the_cut_is_masked() {
        let mut text =
            format!("{}ghp_{} and more {}", "x ".repeat(MAX_TEXT / 2 - 10), "a1".repeat(18), "y ".repeat(MARGIN));
        redact_string(&mut text);
        assert!(!text.contains("ghp_"), "{}", &text[text.len() - 80..]);
    }
}
