//! The steps of a script, in `agent_config.script`.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    agents::contract::{Assignment, Question},
    kernel::{
        failure::{Category, Failure},
        usage::Usage,
    },
};

/// One step: an object with `do` and its arguments, such as `{"do": "wait", "ms": 200}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    /// Waits.
    Wait {
        ms: i64,
    },
    /// Sends a message.
    Say {
        text: String,
    },
    Log {
        text: String,
    },
    /// Writes a file, in a turn that changes files.
    Write {
        path: String,
        content: String,
        #[serde(default)]
        ms: i64,
    },
    /// Adds to the usage of tokens and money.
    Spend {
        #[serde(flatten)]
        usage: Usage,
    },
    /// Asks a question and waits for its answer.
    Ask {
        #[serde(flatten)]
        question: Question,
    },
    /// Fails the run.
    Fail {
        category: Category,
        message: String,
    },
    /// Becomes unreachable.
    Crash {
        message: String,
    },
    /// Reports a rate limit of the provider.
    Limit {
        seconds: i64,
    },
    /// Ends with partial success.
    Partial {
        message: String,
    },
    /// As the first step: refuses the dispatch (before a given run).
    Refuse {
        category: Category,
        message: String,
        #[serde(default)]
        until_run: Option<i32>,
    },
}

/// The longest step of a script, in milliseconds: 30 days, more than any session may run.
const MAX_WAIT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// The most tokens, and the most micro-dollars, of one step.
const MAX_SPENT: i64 = 1_000_000_000_000_000;

impl Step {
    /// Refuses figures that no session can reach, so that no sum of them overflows.
    fn check(&self) -> Result<(), String> {
        let in_range = |name: &str, figure: i64, most: i64| {
            if (0..=most).contains(&figure) { Ok(()) } else { Err(format!("{name} must be between 0 and {most}")) }
        };
        match self {
            Self::Wait { ms } | Self::Write { ms, .. } => in_range("ms", *ms, MAX_WAIT_MS),
            Self::Limit { seconds } => in_range("seconds", *seconds, MAX_WAIT_MS / 1000),
            Self::Spend { usage } => {
                let Usage { tokens_input, tokens_output, tokens_reasoning, tokens_cached, cost_micros } = *usage;
                in_range("tokens_input", tokens_input, MAX_SPENT)?;
                in_range("tokens_output", tokens_output, MAX_SPENT)?;
                in_range("tokens_reasoning", tokens_reasoning, MAX_SPENT)?;
                in_range("tokens_cached", tokens_cached, MAX_SPENT)?;
                in_range("cost_micros", cost_micros, MAX_SPENT)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn takes_ms(&self) -> i64 {
        match self {
            Self::Wait { ms } | Self::Write { ms, .. } => *ms,
            _ => 0,
        }
    }
}

/// Parses the script of an assignment. The default script writes the prompt into a file and completes.
pub(super) fn parse(assignment: &Assignment) -> Result<Vec<Step>, Failure> {
    match assignment.agent_config.get("script") {
        None => Ok(vec![Step::Write { path: "PROMPT.md".to_owned(), content: assignment.prompt.clone(), ms: 0 }]),
        Some(script) => parse_steps(script)
            .map_err(|why| Failure::new(Category::User, "SCRIPT_UNREADABLE", format!("agent_config.script: {why}"))),
    }
}

fn parse_steps(script: &Value) -> Result<Vec<Step>, String> {
    let steps = Vec::<Step>::deserialize(script).map_err(|error| error.to_string())?;
    for (at, step) in steps.iter().enumerate() {
        step.check().map_err(|why| format!("step {at}: {why}"))?;
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn a_script_has_only_figures_whose_sums_do_not_overflow(figure in any::<i64>()) {
            for step in [
                json!({"do": "wait", "ms": figure}),
                json!({"do": "write", "path": "a", "content": "", "ms": figure}),
                json!({"do": "limit", "seconds": figure}),
                json!({"do": "spend", "tokens_output": figure}),
                json!({"do": "spend", "cost_micros": figure}),
            ] {
                let is_small = (0..=MAX_SPENT).contains(&figure);
                prop_assert!(parse_steps(&json!([step])).is_err() || is_small);
            }
        }
    }

    #[test]
    fn a_refused_figure_is_named_with_its_step() {
        let why = parse_steps(&json!([{"do": "say", "text": "a"}, {"do": "wait", "ms": i64::MAX}])).unwrap_err();
        assert_eq!(why, "step 1: ms must be between 0 and 2592000000");
        assert!(parse_steps(&json!([{"do": "wait", "ms": MAX_WAIT_MS}, {"do": "limit", "seconds": 0}])).is_ok());
    }
}
