//! Makes the special tokens of chat templates harmless: a tokenizer that knows them would end a message in the middle
//! of a sample, or begin one of another role.

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex};

use crate::kernel::redact::Note;

/// The tokens of common chat templates, and the tags with which this program marks the use of tools. Each is bounded,
/// so the search is linear.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        <\|[A-Za-z0-9_\ :./-]{1,64}\|>
        | <\u{ff5c}[^\u{ff5c}<>\n]{1,64}\u{ff5c}>
        | </?(?:s|bos|eos|pad|unk|mask|start_of_turn|end_of_turn|fim_prefix|fim_middle|fim_suffix|tool_use)>
        | <tool_use\ | <</?SYS>>
        | \[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|CLS|SEP|MASK|PAD|UNK|BOS|EOS)\]",
    )
    .expect("a pattern")
});

/// The text with a blank after the first character of each special token, so that people still read it and no
/// tokenizer recognizes it.
pub(super) fn break_special_tokens<'a>(text: &'a str, note: Note<'_>) -> Cow<'a, str> {
    TOKENS.replace_all(text, |found: &Captures<'_>| {
        note("special_token");
        let (first, rest) = found[0].split_at(1);
        format!("{first} {rest}")
    })
}
