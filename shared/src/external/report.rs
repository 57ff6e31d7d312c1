//! What an agent reports of a task on the way.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    error::{Refusals, Result},
    runtime::{LogLevel, Question},
    session::draft::{MAX_JSON_DEPTH, has_nul, is_deeper},
};

/// How long a message, a line of a log, a question or an error may be, in characters.
pub const MAX_TEXT: usize = 10_000;

/// The highest number of a report.
pub const MAX_SEQ: i64 = 1_000_000;

/// The most tokens that one task may report.
const MAX_TOKENS: i64 = 1_000_000_000_000;

/// A report on the way.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProgress {
    /// The token of the lease; without one it stands for the newest lease of the task.
    #[serde(default)]
    pub lease_token: Option<i64>,
    /// Counts the reports under a lease from 1. What came under a number before is not told again.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub seq: i64,
    /// What the agent says.
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub message: Option<String>,
    #[serde(default)]
    pub log: Option<Log>,
    /// So far in this task; the highest that was reported counts.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub tokens_used: Option<i64>,
    /// So far in this task, as a number or as decimal text; the highest that was reported counts.
    #[serde(default, deserialize_with = "money")]
    #[schema(value_type = Option<f64>, minimum = 0)]
    pub cost_usd: Option<i64>,
    /// Holds the session until it is answered.
    #[serde(default)]
    pub question: Option<Question>,
    /// The highest number of a message that the agent has; what is above comes again.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub received: Option<i32>,
}

/// A line of an agent's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskLog)]
pub struct Log {
    /// debug, info (when absent), warning or error.
    #[serde(default = "info")]
    #[schema(value_type = Option<String>)]
    pub level: LogLevel,
    #[schema(max_length = 10_000)]
    pub message: String,
}

fn info() -> LogLevel {
    LogLevel::Info
}

/// What is kept of a report until it is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
}

/// A report within all limits.
#[derive(Clone, Debug)]
pub struct Progress {
    pub lease_token: Option<i64>,
    pub seq: i64,
    /// `None` when it only renews the lease.
    pub report: Option<Report>,
    pub tokens: i64,
    pub cost_micros: i64,
    pub received: i32,
}

impl Progress {
    pub fn parse(new: NewProgress) -> Result<Self> {
        let mut refused = Refusals::default();
        if !(1..=MAX_SEQ).contains(&new.seq) {
            refused.add("seq", format!("must be 1 to {MAX_SEQ}"));
        }
        for (field, text) in
            [("message", new.message.as_ref()), ("log.message", new.log.as_ref().map(|log| &log.message))]
        {
            refused.take(field, text.map_or(Ok(()), |text| short(text)));
        }
        if let Some(question) = &new.question {
            check_question(&mut refused, question);
        }
        let tokens = tokens(&mut refused, new.tokens_used);
        let cost_micros = cost(&mut refused, new.cost_usd);
        refused.finish()?;
        let report = Report { message: new.message, log: new.log, question: new.question };
        Ok(Self {
            lease_token: new.lease_token,
            seq: new.seq,
            report: (report != Report::default()).then_some(report),
            tokens,
            cost_micros,
            received: new.received.unwrap_or(0).max(0),
        })
    }
}

pub(super) fn short(text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("must not hold NUL characters".to_owned());
    }
    if text.chars().count() > MAX_TEXT { Err(format!("must have at most {MAX_TEXT} characters")) } else { Ok(()) }
}

fn check_question(refused: &mut Refusals, question: &Question) {
    if !(1..=200).contains(&question.question_id.chars().count()) || question.question_id.contains('\0') {
        refused.add("question.question_id", "must have 1 to 200 characters");
    }
    if question.text.is_empty() {
        refused.add("question.text", "must say what is asked");
    }
    refused.take("question.text", short(&question.text));
    let long = |text: &str| text.contains('\0') || text.chars().count() > 1000;
    let options = &question.options;
    if options.len() > 50 || options.iter().any(|one| long(&one.label) || long(&one.description)) {
        refused.add("question.options", "must be at most 50, of at most 1000 characters each");
    }
    refused.take("question.details", bounded(&question.details));
}

/// JSON that is kept: of bounded size and depth, without NULs.
pub(super) fn bounded(value: &Value) -> Result<(), String> {
    if is_deeper(value, MAX_JSON_DEPTH) {
        return Err(format!("must be at most {MAX_JSON_DEPTH} levels deep"));
    }
    if has_nul(value) {
        return Err("must not hold NUL characters".to_owned());
    }
    let size = serde_json::to_string(value).map_or(usize::MAX, |text| text.len());
    if size > 256 * 1024 { Err("must have at most 256 KiB as JSON".to_owned()) } else { Ok(()) }
}

pub(super) fn tokens(refused: &mut Refusals, tokens: Option<i64>) -> i64 {
    let tokens = tokens.unwrap_or(0);
    if !(0..=MAX_TOKENS).contains(&tokens) {
        refused.add("tokens_used", format!("must be 0 to {MAX_TOKENS}"));
    }
    tokens
}

pub(super) fn cost(refused: &mut Refusals, micros: Option<i64>) -> i64 {
    let micros = micros.unwrap_or(0);
    if !(0..=MAX_TOKENS).contains(&micros) {
        refused.add("cost_usd", "must be 0 to 1000000");
    }
    micros
}

/// Money as a number or as decimal text, in micro-dollars.
pub(super) fn money<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let dollars = match Option::<Value>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    let micros = dollars.filter(|dollars: &f64| dollars.abs() <= 1e9).map(|dollars| (dollars * 1e6).round());
    #[expect(clippy::cast_possible_truncation, reason = "bounded a line above")]
    let micros = micros.map(|micros| micros as i64);
    micros.map(Some).ok_or_else(|| D::Error::custom("must be an amount in dollars, as a number or as decimal text"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_that_says_nothing_only_renews_the_lease() {
        let read = |body: Value| Progress::parse(serde_json::from_value(body).unwrap());
        assert!(read(json!({"seq": 1, "tokens_used": 5})).unwrap().report.is_none());
        assert!(read(json!({"seq": 1, "message": "x"})).unwrap().report.is_some());
        for (field, body) in [
            ("seq", json!({"seq": 0})),
            ("message", json!({"seq": 1, "message": "x".repeat(10_001)})),
            ("tokens_used", json!({"seq": 1, "tokens_used": -1})),
            ("cost_usd", json!({"seq": 1, "cost_usd": -0.1})),
            ("question.text", json!({"seq": 1, "question": {"question_id": "q", "kind": "input", "text": ""}})),
        ] {
            assert_eq!(read(body).unwrap_err().fields()[0].field, field);
        }
    }
}
