//! The result of a task: its status, its output, and its artifacts.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::kernel::{
    canonical_json::to_canonical_json,
    error::{Result, ValidationErrors},
    id::ExternalTaskId,
    usage::UsdAmount,
};

use super::{
    report::{check_json, check_text, parse_cost, parse_milliseconds, parse_money, parse_tokens},
    reported_failure::{ReportedCategory, check_retry_after, is_error_code},
    result_artifacts::{NewArtifact, StoredArtifact, TaskArtifact, parse_artifacts},
};

/// The result of a task.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewResult {
    /// The id of the task.
    pub task_id: ExternalTaskId,
    /// Whether the task completed or failed.
    pub status: ResultStatus,
    /// The token of the lease. Default: the newest lease of the task.
    #[serde(default)]
    pub lease_token: Option<i64>,
    /// The files that the task produced. `changes.patch` holds the changes as `git diff --binary` writes them.
    #[serde(default)]
    #[schema(max_items = 200)]
    pub artifacts: Vec<NewArtifact>,
    /// The output of the task; its field `text` is for people.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub output_data: Option<Map<String, Value>>,
    /// Why the task failed.
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub error_message: Option<String>,
    /// The code of the failure, such as `SETUP_FAILED`. Default: `AGENT_FAILED`.
    #[serde(default)]
    #[schema(pattern = "^[A-Z][A-Z0-9_]{2,63}$")]
    pub error_code: Option<String>,
    /// The category of the failure. Default: `agent`.
    #[serde(default)]
    pub error_category: Option<ReportedCategory>,
    /// In how many seconds the model provider may be called again, with the category `rate_limit`. The session pauses
    /// until then, and another task goes on from the work. Default: the session fails.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 604_800)]
    pub retry_after_seconds: Option<i64>,
    /// The duration of the task in milliseconds. A fraction is rounded. Default: 0.
    #[serde(default, deserialize_with = "parse_milliseconds")]
    #[schema(minimum = 0)]
    pub execution_time_ms: i64,
    /// The number of tokens that the task used. Default: what was reported before.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub tokens_used: i64,
    /// The cost of the task in US dollars. Default: what was reported before.
    #[serde(default, deserialize_with = "parse_money")]
    #[schema(value_type = Option<UsdAmount>)]
    pub cost_usd: Option<i64>,
}

/// Whether a task completed or failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaskEnd)]
pub enum ResultStatus {
    Completed,
    Failed,
}

/// A valid result, with its artifacts.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskOutcome {
    pub lease_token: Option<i64>,
    /// What is stored of it. The size of an uploaded artifact is 0 until it is looked up.
    pub kept: StoredResult,
    /// In the order of those that are stored.
    pub artifacts: Vec<TaskArtifact>,
    pub tokens: i64,
    pub cost_micros: i64,
}

/// The stored part of a result. The bytes of artifacts are in the object store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredResult {
    pub status: ResultStatus,
    pub output_data: Option<Map<String, Value>>,
    pub error_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_category: Option<ReportedCategory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<i64>,
    pub execution_time_ms: i64,
    pub artifacts: Vec<StoredArtifact>,
}

impl TaskOutcome {
    /// Parses the result of the task that the path names.
    pub fn parse(new: NewResult, task: ExternalTaskId) -> Result<Self> {
        let mut refused = ValidationErrors::default();
        if new.task_id != task {
            refused.add("task_id", "must be the task that the path names");
        }
        if new.execution_time_ms < 0 {
            refused.add("execution_time_ms", "must not be negative");
        }
        refused.check("error_message", new.error_message.as_deref().map_or(Ok(()), check_text));
        if new.error_code.as_deref().is_some_and(|code| !is_error_code(code)) {
            refused.add("error_code", "must have 3 to 64 of the characters A-Z 0-9 _, the first a letter");
        }
        let retry_after = check_retry_after(new.retry_after_seconds, new.error_category);
        refused.check("retry_after_seconds", retry_after);
        let output = new.output_data.map(Value::Object);
        refused.check("output_data", output.as_ref().map_or(Ok(()), check_json));
        let (artifacts, stored) = parse_artifacts(&mut refused, new.artifacts).into_iter().unzip();
        let tokens = parse_tokens(&mut refused, Some(new.tokens_used));
        let cost_micros = parse_cost(&mut refused, new.cost_usd);
        refused.into_result()?;
        let output_data = output.and_then(|output| if let Value::Object(map) = output { Some(map) } else { None });
        let kept = StoredResult {
            status: new.status,
            output_data,
            error_message: new.error_message,
            error_code: new.error_code,
            error_category: new.error_category,
            retry_after_seconds: new.retry_after_seconds,
            execution_time_ms: new.execution_time_ms,
            artifacts: stored,
        };
        Ok(Self { lease_token: new.lease_token, kept, artifacts, tokens, cost_micros })
    }

    /// A hash that identifies the result, whatever the lease and the order of fields.
    pub fn hash(&self) -> Result<Vec<u8>> {
        let content = to_canonical_json(&(&self.kept, self.tokens, self.cost_micros))?;
        Ok(Sha256::digest(content).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::report::MAX_EXECUTION_TIME_MS, *};

    fn result(changed: &Value) -> Result<TaskOutcome> {
        let task = super::super::task_id(crate::kernel::id::SessionId(uuid::Uuid::nil()), 1);
        let mut body = json!({"task_id": task, "status": "completed", "execution_time_ms": 1, "tokens_used": 2, "cost_usd": "0.5"});
        body.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        TaskOutcome::parse(serde_json::from_value(body).unwrap(), task)
    }

    #[test]
    fn a_result_is_known_by_what_it_says_and_not_by_its_lease() {
        let hash = |changed: Value| result(&changed).unwrap().hash().unwrap();
        assert_eq!(hash(json!({})), hash(json!({"lease_token": 7})));
        assert_eq!(hash(json!({"cost_usd": 0.5})), hash(json!({"cost_usd": "0.50"})));
        for other in [
            json!({"tokens_used": 3}),
            json!({"status": "failed"}),
            json!({"artifacts": [{"path": "a", "content": "b"}]}),
        ] {
            assert_ne!(hash(json!({})), hash(other));
        }
    }

    #[test]
    fn a_duration_may_have_a_fraction_and_stays_in_range() {
        let duration = |sent: Value| result(&json!({"execution_time_ms": sent})).map(|one| one.kept.execution_time_ms);
        assert_eq!(duration(json!(5.5)).unwrap(), 6);
        assert_eq!(duration(json!(0)).unwrap(), 0);
        assert_eq!(duration(json!(1e300)).unwrap(), MAX_EXECUTION_TIME_MS);
        assert_eq!(duration(json!(i64::MAX)).unwrap(), MAX_EXECUTION_TIME_MS);
        assert_eq!(duration(json!(-1.5)).unwrap_err().fields()[0].field, "execution_time_ms");
    }

    #[test]
    fn a_result_is_the_same_whatever_the_order_of_its_fields() {
        let hash = |text: &str| result(&serde_json::from_str(text).unwrap()).unwrap().hash().unwrap();
        let sent = hash(r#"{"output_data": {"a": 1, "b": {"c": 2, "d": 3}}}"#);
        assert_eq!(sent, hash(r#"{"output_data": {"b": {"d": 3, "c": 2}, "a": 1}}"#));
    }
}
