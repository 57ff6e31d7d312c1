//! The result of a task: how it ended, what it came to, and what was made.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    error::{Refusals, Result},
    id::ExternalTaskId,
};

use super::{
    MAX_ARTIFACTS,
    report::{bounded, cost, money, short, tokens},
};

/// The result of a task.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewResult {
    pub task_id: ExternalTaskId,
    pub status: Ended,
    /// The token of the lease; without one it stands for the newest lease of the task.
    #[serde(default)]
    pub lease_token: Option<i64>,
    /// What was made. `changes.patch` is the work as `git diff --binary` writes it.
    #[serde(default)]
    #[schema(max_items = 200)]
    pub artifacts: Vec<NewArtifact>,
    /// What came of it; its `text` is for people.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub output_data: Option<Map<String, Value>>,
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub error_message: Option<String>,
    #[schema(minimum = 0)]
    pub execution_time_ms: i64,
    #[schema(minimum = 0)]
    pub tokens_used: i64,
    /// As a number or as decimal text.
    #[serde(deserialize_with = "money")]
    #[schema(value_type = f64, minimum = 0)]
    pub cost_usd: Option<i64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaskEnd)]
pub enum Ended {
    Completed,
    Failed,
}

/// Something that was made and is to be kept.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArtifact {
    /// Relative, without `..`.
    #[schema(min_length = 1, max_length = 1024)]
    pub path: String,
    pub content: String,
    /// `text/plain` when absent.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub mime_type: Option<String>,
    /// `base64` for content that is no text.
    #[serde(default)]
    pub encoding: Option<Encoding>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ArtifactEncoding)]
pub enum Encoding {
    Base64,
}

/// A result within all limits, its artifacts beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub lease_token: Option<i64>,
    pub kept: Kept,
    pub artifacts: Vec<Artifact>,
    pub tokens: i64,
    pub cost_micros: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    pub path: String,
    pub mime_type: String,
    pub content: Vec<u8>,
}

/// What is kept of a result in its row; the bytes of its artifacts lie in the file store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub status: Ended,
    pub output_data: Option<Map<String, Value>>,
    pub error_message: Option<String>,
    pub execution_time_ms: i64,
    pub artifacts: Vec<Stored>,
}

/// Where an artifact lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    pub path: String,
    pub mime_type: String,
    pub size: usize,
    pub sha256: String,
}

impl Outcome {
    /// Reads the result of the task that the path names.
    pub fn parse(new: NewResult, task: ExternalTaskId) -> Result<Self> {
        let mut refused = Refusals::default();
        if new.task_id != task {
            refused.add("task_id", "must be the task that the path names");
        }
        if new.execution_time_ms < 0 {
            refused.add("execution_time_ms", "must not be negative");
        }
        refused.take("error_message", new.error_message.as_deref().map_or(Ok(()), short));
        let output = new.output_data.map(Value::Object);
        refused.take("output_data", output.as_ref().map_or(Ok(()), bounded));
        let artifacts = artifacts(&mut refused, new.artifacts);
        let tokens = tokens(&mut refused, Some(new.tokens_used));
        let cost_micros = cost(&mut refused, new.cost_usd);
        refused.finish()?;
        let output_data = output.and_then(|output| if let Value::Object(map) = output { Some(map) } else { None });
        let stored = artifacts.iter().map(|one| Stored {
            path: one.path.clone(),
            mime_type: one.mime_type.clone(),
            size: one.content.len(),
            sha256: hex::encode(Sha256::digest(&one.content)),
        });
        let kept = Kept {
            status: new.status,
            output_data,
            error_message: new.error_message,
            execution_time_ms: new.execution_time_ms,
            artifacts: stored.collect(),
        };
        Ok(Self { lease_token: new.lease_token, kept, artifacts, tokens, cost_micros })
    }

    /// What tells two results apart, whatever the lease and the order of fields.
    pub fn hash(&self) -> Result<Vec<u8>> {
        let told = serde_json::to_vec(&(&self.kept, self.tokens, self.cost_micros))?;
        Ok(Sha256::digest(told).to_vec())
    }
}

fn artifacts(refused: &mut Refusals, sent: Vec<NewArtifact>) -> Vec<Artifact> {
    if sent.len() > MAX_ARTIFACTS {
        refused.add("artifacts", format!("must be at most {MAX_ARTIFACTS}"));
        return Vec::new();
    }
    let mut kept: Vec<Artifact> = Vec::with_capacity(sent.len());
    for (at, one) in sent.into_iter().enumerate() {
        let field = |name: &str| format!("artifacts[{at}].{name}");
        refused.take(&field("path"), stays_inside(&one.path));
        if kept.iter().any(|known| known.path == one.path) {
            refused.add(field("path"), "is there twice");
        }
        let mime_type = one.mime_type.unwrap_or_else(|| "text/plain".to_owned());
        let visible = mime_type.bytes().all(|b| (0x20..0x7f).contains(&b));
        if !visible || !(3..=200).contains(&mime_type.len()) || !mime_type.contains('/') {
            refused.add(field("mime_type"), "must be a media type such as text/plain");
        }
        let content = match one.encoding {
            None => Ok(one.content.into_bytes()),
            Some(Encoding::Base64) => STANDARD.decode(one.content).map_err(|_| "is not base64".to_owned()),
        };
        let content = refused.take(&field("content"), content).unwrap_or_default();
        kept.push(Artifact { path: one.path, mime_type, content });
    }
    kept
}

/// Refuses a path that is no path below its root, on any system.
fn stays_inside(path: &str) -> Result<(), String> {
    if !(1..=1024).contains(&path.len()) || path.chars().any(char::is_control) {
        return Err("must have 1 to 1024 characters".to_owned());
    }
    let leaves = path.starts_with('/')
        || path.contains('\\')
        || path.contains(':')
        || path.split('/').any(|part| matches!(part, "" | "." | ".."));
    if leaves { Err("must be relative, and stay below its root".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(changed: &Value) -> Result<Outcome> {
        let task = super::super::task_id(crate::id::SessionId(uuid::Uuid::nil()), 1);
        let mut body = json!({"task_id": task, "status": "completed", "execution_time_ms": 1, "tokens_used": 2, "cost_usd": "0.5"});
        body.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        Outcome::parse(serde_json::from_value(body).unwrap(), task)
    }

    #[test]
    fn paths_that_leave_their_root_are_refused_by_field() {
        for good in ["a", "a/b.txt", "a b/ä.md", ".hidden", "..a", "changes.patch"] {
            assert!(result(&json!({"artifacts": [{"path": good, "content": ""}]})).is_ok(), "{good}");
        }
        for wrong in ["", "/a", "..", "../a", "a/../b", "a//b", "a/", "./a", "a\\..\\b", "C:/a", "a\nb", "a\0"] {
            let refused = result(&json!({"artifacts": [{"path": wrong, "content": ""}]})).unwrap_err();
            assert_eq!(refused.fields()[0].field, "artifacts[0].path", "{wrong:?}");
        }
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
    fn content_may_come_as_base64() {
        let sent = json!({"artifacts": [{"path": "a", "content": "AAE=", "encoding": "base64", "mime_type": "application/octet-stream"}]});
        assert_eq!(result(&sent).unwrap().artifacts[0].content, [0, 1]);
        let wrong = json!({"artifacts": [{"path": "a", "content": "?", "encoding": "base64"}]});
        assert_eq!(result(&wrong).unwrap_err().fields()[0].field, "artifacts[0].content");
    }
}
