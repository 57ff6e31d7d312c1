//! The script in a prompt: `@@STUB [step, ...] @@`.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What opens a script.
const OPENING: &str = "@@STUB";

/// One turn of the model.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// Says this and ends the turn.
    pub text: String,
    /// Calls a tool with `args`.
    pub tool: Option<String>,
    pub args: Value,
    /// Calls several tools at once.
    pub tools: Vec<Call>,
    /// Says this before it calls.
    pub say: String,
    /// Answers with this HTTP status, with `headers` and `body`, so many `times` (always when absent), then plays
    /// `then`.
    pub status: Option<u16>,
    pub headers: Map<String, Value>,
    pub body: Option<Value>,
    pub times: Option<u32>,
    pub then: Option<Box<Step>>,
    /// Breaks the connection off in the middle of the answer.
    pub drop: bool,
    /// The reason to end with, instead of the natural one.
    pub finish: Option<String>,
    /// Seconds before the answer.
    pub sleep: f64,
    /// Into how many pieces the text is cut, and the seconds after each.
    pub chunks: Option<usize>,
    pub chunk_sleep: f64,
}

/// One call of a tool.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub tool: String,
    #[serde(default)]
    pub args: Value,
}

impl Step {
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The calls of this step, in whichever of the two forms.
    pub(super) fn calls(&self) -> Vec<Call> {
        match &self.tool {
            Some(tool) if self.tools.is_empty() => vec![Call { tool: tool.clone(), args: self.args.clone() }],
            _ => self.tools.clone(),
        }
    }
}

/// The first script in a text. What follows it is not looked at, so that a script may carry another one in a string.
pub(super) fn script_in(text: &str) -> Option<serde_json::Result<Vec<Step>>> {
    let mut rest = text;
    loop {
        rest = rest.split_once(OPENING)?.1;
        if rest.trim_start().starts_with('[') {
            return serde_json::Deserializer::from_str(rest).into_iter().next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_script_counts_and_may_carry_another() {
        let text = r#"@@STUB is what opens one: @@STUB [{"tool": "task", "args": {"prompt": "@@STUB [{\"text\": \"in\"}] @@"}}] @@
                      @@STUB [{"text": "never"}] @@"#;
        let steps = script_in(text).unwrap().unwrap();
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].calls()[0].tool, "task");
    }

    #[test]
    fn a_text_without_a_script_has_none() {
        assert!(script_in("fix @@STUB please").is_none());
    }

    #[test]
    fn a_misspelt_step_is_refused_by_name() {
        let error = script_in(r#"@@STUB [{"txet": "hi"}] @@"#).unwrap().unwrap_err();
        assert!(error.to_string().contains("txet"), "{error}");
    }
}
