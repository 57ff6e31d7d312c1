//! A dataset as rows of characters, of which only the answers are to be learnt.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::model::{CONTEXT, encode};

/// The characters of a sample, and for each whether it is to be learnt.
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

/// A question as the model is used to see it.
pub fn asked(question: &str) -> String {
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
    let (mut text, mut learnt) = (String::new(), Vec::new());
    let mut add = |more: &str, counts| {
        text.push_str(more);
        learnt.extend(more.chars().map(|_| counts));
    };
    match serde_json::from_str(line).context("a line of the dataset is no sample")? {
        Line::Messages { messages } => {
            for Message { role, content } in messages {
                add(&format!("{role}: "), false);
                add(&format!("{}\n", content.replace('\n', " ")), role == "assistant");
            }
        }
        Line::Instruction { instruction, input, output } => {
            add(&asked(format!("{instruction} {input}").trim()), false);
            add(&format!("{output}\n"), true);
        }
    }
    // The end of a long one matters most: that is where the answer is.
    let mut tokens = encode(&text);
    let from = tokens.len().saturating_sub(CONTEXT + 1);
    Ok((tokens.split_off(from), learnt.split_off(from)))
}
