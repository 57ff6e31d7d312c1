//! Redaction of secrets from stored and shown text: by their shape, by the names of fields, and by the words before a
//! value, and by their values where these are known. Secrets are found as a person or a program reads the text: without
//! what a terminal does not show, and behind escapes and base64. The rest of the text stays as it is, byte for byte.
//! ADRs 23 and 30 describe the design.
//!
//! It applies to logs, the audit log and output of agents (events, questions, outcomes). It does not apply to diffs,
//! files and artifacts, which must stay exact, nor to the input of people, which the agent must receive unchanged.

mod class;
mod commands;
mod declared;
mod encoded;
mod fields;
mod forms;
mod known;
mod mask;
mod names;
mod search;
mod shapes;
mod unescape;
mod view;
mod visible;

use std::{borrow::Cow, ops::Range};

#[cfg(test)]
pub(crate) use shapes::shape_samples;

pub use fields::{mask_in_place, mask_secrets};
pub use known::KnownSecrets;
pub use mask::MASK;

/// Receives the kind of each redacted secret.
pub type Note<'a> = &'a mut dyn FnMut(&str);

/// Returns the text without secrets.
pub fn redact_text(text: &str) -> Cow<'_, str> {
    fields::redact_string(text, &mut |_| {})
}

/// Like [`redact_text`], and reports each redacted secret.
pub fn redact_noting<'a>(text: &'a str, note: Note<'_>) -> Cow<'a, str> {
    fields::redact_string(text, note)
}

/// Like [`redact_text`], for an owned text.
pub fn redact_owned(found: String) -> String {
    match redact_text(&found) {
        Cow::Owned(clean) => clean,
        Cow::Borrowed(_) => found,
    }
}

/// A text as a person sees it, without what a terminal does not show.
pub struct VisibleText {
    pub text: String,
    view: view::View<'static>,
}

impl VisibleText {
    /// `None` if everything in the text is visible.
    pub fn of_text(text: &str) -> Option<Self> {
        let view = visible::visible_view(&view::View::of_text(text))?;
        let text = String::from_utf8(view.bytes.to_vec()).ok()?;
        Some(Self { text, view })
    }

    /// The passage of the original text that a passage of the visible text comes from.
    pub fn original_span(&self, range: Range<usize>) -> Range<usize> {
        self.view.original_span(range)
    }
}

#[cfg(test)]
mod cost_tests;
#[cfg(test)]
mod disguise_tests;
#[cfg(test)]
mod tests;
