//! The steps of a script, as they stand in `agent_config.script`.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    runtime::{Assignment, Question},
    session::{
        outcome::{Category, Failure},
        usage::Usage,
    },
};

/// One step. Each is an object with `do` and what belongs to it, such as `{"do": "wait", "ms": 200}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    /// Takes time.
    Wait {
        ms: i64,
    },
    /// Says something.
    Say {
        text: String,
    },
    Log {
        text: String,
    },
    /// Writes a file; a turn that changed files.
    Write {
        path: String,
        content: String,
        #[serde(default)]
        ms: i64,
    },
    /// Uses tokens and money, on top of what it used before.
    Spend {
        #[serde(flatten)]
        usage: Usage,
    },
    /// Asks, and waits for the answer.
    Ask {
        #[serde(flatten)]
        question: Question,
    },
    /// The run fails.
    Fail {
        category: Category,
        message: String,
    },
    /// Cannot be reached any more.
    Crash {
        message: String,
    },
    /// The provider asks to wait so long.
    Limit {
        seconds: i64,
    },
    /// Ends with part of the work done.
    Partial {
        message: String,
    },
    /// As the first step: does not take the work (before a given run).
    Refuse {
        category: Category,
        message: String,
        #[serde(default)]
        until_run: Option<i32>,
    },
}

impl Step {
    pub(super) fn takes_ms(&self) -> i64 {
        match self {
            Self::Wait { ms } | Self::Write { ms, .. } => *ms,
            _ => 0,
        }
    }
}

/// Reads the script of an assignment. Without one: writes the prompt into a file and is done.
pub(super) fn parse(assignment: &Assignment) -> Result<Vec<Step>, Failure> {
    match assignment.agent_config.get("script") {
        None => Ok(vec![Step::Write { path: "PROMPT.md".to_owned(), content: assignment.prompt.clone(), ms: 0 }]),
        Some(script) => Vec::deserialize(script as &Value).map_err(|error| {
            Failure::new(Category::User, "SCRIPT_UNREADABLE", format!("agent_config.script: {error}"))
        }),
    }
}
