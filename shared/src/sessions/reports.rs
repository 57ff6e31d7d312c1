//! What callers send to a session that exists: messages, checkpoints, and reports of how it ended.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    agents::contract::{Answer, UserMessage},
    kernel::{
        error::{Error, Result, ValidationErrors},
        failure::{Category, Failure},
        validation::{MAX_JSON_DEPTH, has_nul, is_deeper, small_json},
    },
};

use super::{fields::parse_prompt, outcome::Outcome};

/// The largest result of a session, in bytes of JSON.
const MAX_RESULT_BYTES: usize = 64 * 1024;
/// How many choices an answer may name, and how many characters each may have.
const MAX_CHOICES: usize = 50;
const MAX_CHOICE_CHARACTERS: usize = 1000;

/// The result of a completed session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Completion)]
pub struct CompletionInput {
    /// Any JSON value, of at most 64 KiB and 32 levels.
    #[schema(value_type = Value)]
    pub result: Value,
    /// The share of the work that succeeded, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub success_rate: Option<f64>,
    /// The confidence in the result, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub confidence_score: Option<f64>,
}

impl CompletionInput {
    /// The outcome that was reported. Refuses all wrong fields at once.
    pub fn parse(self) -> Result<Outcome> {
        let mut refusals = ValidationErrors::default();
        for (field, share) in [("success_rate", self.success_rate), ("confidence_score", self.confidence_score)] {
            if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                refusals.add(field, "must be 0 to 1");
            }
        }
        if self.result.to_string().len() > MAX_RESULT_BYTES || has_nul(&self.result) {
            refusals.add("result", "must have at most 64 KiB as JSON, without NUL characters");
        }
        if is_deeper(&self.result, MAX_JSON_DEPTH) {
            refusals.add("result", format!("must be at most {MAX_JSON_DEPTH} levels deep"));
        }
        refusals.into_result()?;
        let (success_rate, confidence_score) = (self.success_rate, self.confidence_score);
        Ok(Outcome { result: Some(self.result), error: None, success_rate, confidence_score })
    }
}

/// The reason of a failure.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FailureReport)]
pub struct FailureInput {
    /// A description of the error, for people.
    #[schema(min_length = 1, max_length = 2000)]
    pub message: String,
    /// A stable code. Default: `AGENT_FAILED`.
    #[schema(max_length = 100)]
    pub code: Option<String>,
    /// Further details, which are stored in the log.
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// Whether a retry may succeed. Default: true.
    pub retryable: Option<bool>,
}

/// A failure that was reported, within all limits.
pub struct ReportedFailure {
    pub failure: Failure,
    /// Goes to the session's log; the outcome stays short.
    pub context: Option<Map<String, Value>>,
}

impl FailureInput {
    /// The failure that was reported. Refuses all wrong fields at once.
    pub fn parse(self) -> Result<ReportedFailure> {
        let mut refusals = ValidationErrors::default();
        let message = self.message.trim();
        if !(1..=2000).contains(&message.chars().count()) || message.contains('\0') {
            refusals.add("message", "must have 1 to 2000 characters, none of them NUL");
        }
        let code = self.code.as_deref().unwrap_or("AGENT_FAILED");
        let is_plain = code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if !(1..=100).contains(&code.len()) || !is_plain {
            refusals.add("code", "must have 1 to 100 characters of A-Z a-z 0-9 _ - .");
        }
        if let Some(Err(why)) = self.context.as_ref().map(small_json) {
            refusals.add("context", why);
        }
        refusals.into_result()?;
        let mut failure = Failure::new(Category::Agent, code, message);
        failure.retryable = self.retryable.unwrap_or(true);
        Ok(ReportedFailure { failure, context: self.context })
    }
}

/// A message to a session: either `text` or `answer`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessage)]
pub struct MessageInput {
    /// A further prompt.
    #[schema(min_length = 1, max_length = 100_000)]
    pub text: Option<String>,
    /// The answer to the question that the session waits for. It applies to this question only.
    pub answer: Option<Answer>,
}

impl MessageInput {
    /// The message that was sent.
    pub fn parse(self) -> Result<UserMessage> {
        match (self.text, self.answer) {
            (Some(text), None) => {
                let text = parse_prompt(&text).map_err(|why| Error::invalid_field("text", why))?;
                Ok(UserMessage::Text { text })
            }
            (None, Some(answer)) => Ok(UserMessage::Answer { answer: parse_answer(answer)? }),
            _ => Err(Error::invalid_field("text", "send either text or answer")),
        }
    }
}

/// An answer within all limits, its text trimmed.
fn parse_answer(mut answer: Answer) -> Result<Answer> {
    if let Some(text) = &answer.text {
        answer.text = Some(parse_prompt(text).map_err(|why| Error::invalid_field("answer.text", why))?);
    }
    let choices = answer.choices.as_deref().unwrap_or_default();
    let is_too_long = |choice: &String| choice.chars().count() > MAX_CHOICE_CHARACTERS || choice.contains('\0');
    if choices.len() > MAX_CHOICES || choices.iter().any(is_too_long) {
        return Err(Error::invalid_field("answer.choices", "must be at most 50, each of at most 1000 characters"));
    }
    if answer.question_id.contains('\0') {
        return Err(Error::invalid_field("answer.question_id", "must not hold NUL characters"));
    }
    Ok(answer)
}

/// Data to be stored with a checkpoint.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCheckpoint)]
pub struct CheckpointInput {
    /// Free-form data, at most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Value>>,
    /// A note for people.
    #[schema(max_length = 1000)]
    pub note: Option<String>,
}

impl CheckpointInput {
    /// Checks the limits. Refuses all wrong fields at once.
    pub fn parse(self) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        if let Some(Err(why)) = self.data.as_ref().map(small_json) {
            refusals.add("data", why);
        }
        if self.note.as_ref().is_some_and(|note| note.chars().count() > 1000 || note.contains('\0')) {
            refusals.add("note", "must have at most 1000 characters, none of them NUL");
        }
        refusals.into_result()?;
        Ok(self)
    }
}
