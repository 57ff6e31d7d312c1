//! Progress reports of an agent.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    agents::contract::{LogLevel, Question, QuestionKind},
    kernel::{
        error::{Result, ValidationErrors},
        usage::UsdAmount,
        validation::{MAX_JSON_DEPTH, has_nul, is_deeper},
    },
};

use super::{MAX_REPORT_EVENTS, phase::RunPhase};

/// The longest message, log line, question or error, in characters.
pub const MAX_TEXT: usize = 10_000;

/// The highest number of a report.
pub const MAX_SEQ: i64 = 1_000_000;

/// The most tokens that one task may report.
const MAX_TOKENS: i64 = 1_000_000_000_000;

/// A progress report.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProgress {
    /// The token of the lease. Default: the newest lease of the task.
    #[serde(default)]
    pub lease_token: Option<i64>,
    /// The number of the report within the lease, from 1. A report with a number that was processed before is
    /// ignored.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub seq: i64,
    /// A message of the agent.
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub message: Option<String>,
    /// A line for the log.
    #[serde(default)]
    pub log: Option<TaskLog>,
    /// The tokens that the task has used so far. The highest reported number counts.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub tokens_used: Option<i64>,
    /// The cost of the task so far in US dollars. The highest reported amount counts.
    #[serde(default, deserialize_with = "parse_money")]
    #[schema(value_type = Option<UsdAmount>)]
    pub cost_usd: Option<i64>,
    /// The phase of the run that has begun (protocol 1.1). The session shows how long each took.
    #[serde(default)]
    pub phase: Option<RunPhase>,
    /// Several messages and lines for the log, oldest first, at most 200 (protocol 1.1). The report's own message and
    /// line count as earlier.
    #[serde(default)]
    #[schema(max_items = 200)]
    pub events: Vec<ReportEvent>,
    /// A question, which pauses the session until it is answered.
    #[serde(default)]
    pub question: Option<Question>,
    /// The number of the last user message that the agent has received.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub received: Option<i32>,
}

/// A line of an agent's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskLog)]
pub struct TaskLog {
    /// The level: `debug`, `info`, `warning` or `error`. Default: `info`.
    #[serde(default = "default_log_level")]
    #[schema(value_type = Option<String>)]
    pub level: LogLevel,
    /// The text of the line.
    #[schema(max_length = 10_000)]
    pub message: String,
}

/// One of several events of a report: a message, a thought, a call of a tool, or a line for the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportEvent {
    /// A message of the agent, of at most 10 000 characters.
    Message(String),
    /// What the agent thinks, of at most 10 000 characters.
    Thought(String),
    /// A call of a tool.
    Tool(TaskToolCall),
    /// A line for the log.
    Log(TaskLog),
}

impl ReportEvent {
    fn check(&self, refused: &mut ValidationErrors, at: usize) {
        let mut check = |field: &str, checked| refused.check(&format!("events[{at}].{field}"), checked);
        match self {
            Self::Message(text) => check("message", check_text(text)),
            Self::Thought(text) => check("thought", check_text(text)),
            Self::Log(log) => check("log.message", check_text(&log.message)),
            Self::Tool(call) => {
                check("tool.id", check_line(&call.id, 1..=200));
                check("tool.tool", check_line(&call.tool, 1..=200));
                check("tool.title", check_line(&call.title, 0..=1000));
                check("tool.input", call.input.as_ref().map_or(Ok(()), check_json));
                check("tool.output", call.output.as_deref().map_or(Ok(()), check_text))
            }
        };
    }
}

/// A call of a tool. It is reported when it begins and when it ends, by the same id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskToolCall {
    /// The agent's id of the call, unique in the task.
    #[schema(min_length = 1, max_length = 200)]
    pub id: String,
    /// The name of the tool, or its kind.
    #[schema(min_length = 1, max_length = 200)]
    pub tool: String,
    /// What the call does, for people.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub title: String,
    /// How far the call is.
    pub state: ToolCallState,
    /// The arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// What it printed or returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 10_000)]
    pub output: Option<String>,
}

/// How far a call of a tool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolCallState {
    Running,
    Completed,
    Error,
}

impl ToolCallState {
    /// The name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Error => "error",
        }
    }
}

fn default_log_level() -> LogLevel {
    LogLevel::Info
}

/// The part of a report that becomes events of the session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<TaskLog>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ReportEvent>,
}

/// A valid report.
#[derive(Clone, Debug)]
pub struct Progress {
    pub lease_token: Option<i64>,
    pub seq: i64,
    /// `None` when it only renews the lease.
    pub report: Option<Report>,
    pub phase: Option<RunPhase>,
    pub tokens: i64,
    pub cost_micros: i64,
    pub received: i32,
}

impl Progress {
    pub fn parse(new: NewProgress) -> Result<Self> {
        let mut refused = ValidationErrors::default();
        if !(1..=MAX_SEQ).contains(&new.seq) {
            refused.add("seq", format!("must be 1 to {MAX_SEQ}"));
        }
        for (field, text) in
            [("message", new.message.as_ref()), ("log.message", new.log.as_ref().map(|log| &log.message))]
        {
            refused.check(field, text.map_or(Ok(()), |text| check_text(text)));
        }
        check_events(&mut refused, &new.events);
        if let Some(question) = &new.question {
            check_question(&mut refused, question);
        }
        let tokens = parse_tokens(&mut refused, new.tokens_used);
        let cost_micros = parse_cost(&mut refused, new.cost_usd);
        refused.into_result()?;
        let report = Report { message: new.message, log: new.log, question: new.question, events: new.events };
        Ok(Self {
            lease_token: new.lease_token,
            seq: new.seq,
            report: (report != Report::default()).then_some(report),
            phase: new.phase,
            tokens,
            cost_micros,
            received: new.received.unwrap_or(0).max(0),
        })
    }
}

pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("must not hold NUL characters".to_owned());
    }
    if text.chars().count() > MAX_TEXT { Err(format!("must have at most {MAX_TEXT} characters")) } else { Ok(()) }
}

fn check_line(text: &str, length: std::ops::RangeInclusive<usize>) -> Result<(), String> {
    let fits = length.contains(&text.chars().count()) && !text.contains('\0');
    if fits { Ok(()) } else { Err(format!("must have {} to {} characters", length.start(), length.end())) }
}

fn check_events(refused: &mut ValidationErrors, events: &[ReportEvent]) {
    if events.len() > MAX_REPORT_EVENTS {
        refused.add("events", format!("must be at most {MAX_REPORT_EVENTS}"));
        return;
    }
    for (at, event) in events.iter().enumerate() {
        event.check(refused, at);
    }
}

fn check_question(refused: &mut ValidationErrors, question: &Question) {
    if !(1..=200).contains(&question.question_id.chars().count()) || question.question_id.contains('\0') {
        refused.add("question.question_id", "must have 1 to 200 characters");
    }
    if question.text.is_empty() {
        refused.add("question.text", "must say what is asked");
    }
    refused.check("question.text", check_text(&question.text));
    let long = |text: &str| text.contains('\0') || text.chars().count() > 1000;
    let options = &question.options;
    if options.len() > 50 || options.iter().any(|one| long(&one.label) || long(&one.description)) {
        refused.add("question.options", "must be at most 50, of at most 1000 characters each");
    }
    if question.kind == QuestionKind::Sessions && question.awaited_sessions().is_none() {
        let most = Question::MAX_SESSIONS;
        refused.add("question.details.sessions", format!("must be the ids of 1 to {most} sessions"));
    }
    refused.check("question.details", check_json(&question.details));
}

/// Checks the size and depth of JSON, and that it has no NULs.
pub(super) fn check_json(value: &Value) -> Result<(), String> {
    if is_deeper(value, MAX_JSON_DEPTH) {
        return Err(format!("must be at most {MAX_JSON_DEPTH} levels deep"));
    }
    if has_nul(value) {
        return Err("must not hold NUL characters".to_owned());
    }
    let size = serde_json::to_string(value).map_or(usize::MAX, |text| text.len());
    if size > 256 * 1024 { Err("must have at most 256 KiB as JSON".to_owned()) } else { Ok(()) }
}

pub(super) fn parse_tokens(refused: &mut ValidationErrors, tokens: Option<i64>) -> i64 {
    let tokens = tokens.unwrap_or(0);
    if !(0..=MAX_TOKENS).contains(&tokens) {
        refused.add("tokens_used", format!("must be 0 to {MAX_TOKENS}"));
    }
    tokens
}

pub(super) fn parse_cost(refused: &mut ValidationErrors, micros: Option<i64>) -> i64 {
    let micros = micros.unwrap_or(0);
    if !(0..=MAX_TOKENS).contains(&micros) {
        refused.add("cost_usd", "must be 0 to 1000000");
    }
    micros
}

/// The longest duration that is stored, in milliseconds: ten years. A longer one counts as this.
pub(super) const MAX_EXECUTION_TIME_MS: i64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// A duration in milliseconds. Programs in JavaScript measure fractions; they are rounded.
pub(super) fn parse_milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    #[expect(clippy::cast_precision_loss, reason = "it is a bound, not a figure")]
    let bounded = number.as_f64().unwrap_or_default().round().clamp(-1.0, MAX_EXECUTION_TIME_MS as f64);
    #[expect(clippy::cast_possible_truncation, reason = "bounded a line above")]
    Ok(bounded as i64)
}

/// Money as a number or as decimal text, in micro-dollars.
pub(super) fn parse_money<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
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
        let phase = read(json!({"seq": 1, "phase": "cloning"})).unwrap();
        assert!(phase.report.is_none() && phase.phase == Some(RunPhase::Cloning));
        let events = json!([{"message": "x"}, {"log": {"message": "y"}}]);
        assert_eq!(read(json!({"seq": 1, "events": events})).unwrap().report.unwrap().events.len(), 2);
        for (field, body) in [
            ("seq", json!({"seq": 0})),
            ("message", json!({"seq": 1, "message": "x".repeat(10_001)})),
            ("events", json!({"seq": 1, "events": vec![json!({"message": "x"}); 201]})),
            (
                "events[0].tool.id",
                json!({"seq": 1, "events": [{"tool": {"id": "", "tool": "bash", "state": "running"}}]}),
            ),
            ("events[0].thought", json!({"seq": 1, "events": [{"thought": "\0"}]})),
            ("events[1].message", json!({"seq": 1, "events": [{"message": ""}, {"message": "\0"}]})),
            ("events[0].log.message", json!({"seq": 1, "events": [{"log": {"message": "x".repeat(10_001)}}]})),
            ("tokens_used", json!({"seq": 1, "tokens_used": -1})),
            ("cost_usd", json!({"seq": 1, "cost_usd": -0.1})),
            ("question.text", json!({"seq": 1, "question": {"question_id": "q", "kind": "input", "text": ""}})),
            (
                "question.details.sessions",
                json!({"seq": 1, "question": {"question_id": "q", "kind": "sessions", "text": "x", "details": {"sessions": ["1"]}}}),
            ),
        ] {
            assert_eq!(read(body).unwrap_err().fields()[0].field, field);
        }
    }
}
