//! A dataset as rows of characters, of which only the answers are to be learned.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::model::{CONTEXT, encode};

/// The characters of a sample, and for each whether it is to be learned.
pub type Sample = (Vec<u32>, Vec<bool>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Messages {
        messages: Vec<Message>,
    },
    Instruction {
        instruction: String,
        #[serde(default)]
        input: String,
        output: String,
    },
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

/// Formats a question as in the training text.
pub fn format_question(question: &str) -> String {
    format!("user: {question}\nassistant: ")
}

pub fn read(file: &Path) -> Result<Vec<Sample>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let samples: Vec<Sample> = lines.map(sample).collect::<Result<_>>()?;
    ensure!(!samples.is_empty(), "there are no samples in {}", file.display());
    Ok(samples)
}

fn sample(line: &str) -> Result<Sample> {
    let (mut text, mut learned) = (String::new(), Vec::new());
    let mut add = |more: &str, counts| {
        text.push_str(more);
        learned.extend(more.chars().map(|_| counts));
    };
    match serde_json::from_str(line).context("a line of the dataset is not a sample")? {
        Line::Messages { messages } => {
            for Message { role, content } in messages {
                add(&format!("{role}: "), false);
                add(&format!("{}\n", content.replace('\n', " ")), role == "assistant");
            }
        }
        Line::Instruction { instruction, input, output } => {
            add(&format_question(format!("{instruction} {input}").trim()), false);
            add(&format!("{output}\n"), true);
        }
    }
    // Keep the end of a long sample, because the answer is there.
    let mut tokens = encode(&text);
    let from = tokens.len().saturating_sub(CONTEXT + 1);
    Ok((tokens.split_off(from), learned.split_off(from)))
}
