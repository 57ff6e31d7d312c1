//! The result of a task: its status, its output, and its artifacts.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::kernel::{
    canonical_json::to_canonical_json,
    error::{Result, ValidationErrors},
    id::ExternalTaskId,
    text::{is_git_folder, is_misleading},
    usage::UsdAmount,
};

use super::{
    MAX_ARTIFACTS, PATCH_PATH,
    report::{check_json, check_text, parse_cost, parse_milliseconds, parse_money, parse_tokens},
    reported_failure::{ReportedCategory, is_error_code},
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

/// A file that a task produced.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArtifact {
    /// The relative path of the file, without `..`, `.git` or invisible characters.
    #[schema(min_length = 1, max_length = 1024)]
    pub path: String,
    /// The content of the file. Absent if it was uploaded before.
    #[serde(default)]
    pub content: Option<String>,
    /// The SHA-256 of content that was uploaded before, in lower-case hexadecimal; instead of `content`.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: Option<String>,
    /// The media type of the content. Default: `text/plain`.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub mime_type: Option<String>,
    /// The encoding of the content; text when absent.
    #[serde(default)]
    pub encoding: Option<Encoding>,
}

/// The encoding of the content of an artifact.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ArtifactEncoding)]
pub enum Encoding {
    Base64,
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

#[derive(Clone, Debug, PartialEq)]
pub struct TaskArtifact {
    pub path: String,
    pub mime_type: String,
    pub content: ArtifactContent,
}

/// Where the bytes of an artifact are.
#[derive(Clone, Debug, PartialEq)]
pub enum ArtifactContent {
    /// They came with the result.
    Sent(Vec<u8>),
    /// They were uploaded before.
    Uploaded,
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
    pub execution_time_ms: i64,
    pub artifacts: Vec<StoredArtifact>,
}

/// A stored artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredArtifact {
    pub path: String,
    pub mime_type: String,
    pub size: usize,
    pub sha256: String,
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

fn parse_artifacts(refused: &mut ValidationErrors, sent: Vec<NewArtifact>) -> Vec<(TaskArtifact, StoredArtifact)> {
    if sent.len() > MAX_ARTIFACTS {
        refused.add("artifacts", format!("must be at most {MAX_ARTIFACTS}"));
        return Vec::new();
    }
    let mut kept: Vec<(TaskArtifact, StoredArtifact)> = Vec::with_capacity(sent.len());
    for (at, one) in sent.into_iter().enumerate() {
        let field = |name: &str| format!("artifacts[{at}].{name}");
        refused.check(&field("path"), check_relative_path(&one.path));
        if kept.iter().any(|(known, _)| known.path == one.path) {
            refused.add(field("path"), "is there twice");
        }
        let mime_type = one.mime_type.unwrap_or_else(|| "text/plain".to_owned());
        let visible = mime_type.bytes().all(|b| (0x20..0x7f).contains(&b));
        if !visible || !(3..=200).contains(&mime_type.len()) || !mime_type.contains('/') {
            refused.add(field("mime_type"), "must be a media type such as text/plain");
        }
        let (content, size, sha256) = match (one.content, one.sha256) {
            (Some(content), None) => {
                let content = refused.check(&field("content"), decode(content, one.encoding)).unwrap_or_default();
                if one.path == PATCH_PATH {
                    refused.check(&field("content"), check_patch(&content));
                }
                let (size, hash) = (content.len(), hex::encode(Sha256::digest(&content)));
                (ArtifactContent::Sent(content), size, hash)
            }
            (None, Some(hash)) => {
                refused.check(&field("sha256"), check_hash(&hash));
                (ArtifactContent::Uploaded, 0, hash)
            }
            _ => {
                refused.add(field("content"), "must be there, or else `sha256` of an upload, and not both");
                continue;
            }
        };
        let stored = StoredArtifact { path: one.path.clone(), mime_type: mime_type.clone(), size, sha256 };
        kept.push((TaskArtifact { path: one.path, mime_type, content }, stored));
    }
    kept
}

fn decode(content: String, encoding: Option<Encoding>) -> Result<Vec<u8>, String> {
    match encoding {
        None => Ok(content.into_bytes()),
        Some(Encoding::Base64) => STANDARD.decode(content).map_err(|_| "is not base64".to_owned()),
    }
}

/// Rejects what is no SHA-256 in lower-case hexadecimal.
pub fn check_hash(text: &str) -> Result<(), String> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hash { Ok(()) } else { Err("must be a SHA-256 in lower-case hexadecimal".to_owned()) }
}

/// Rejects changes that no later run could apply: a retry, a fork or another agent continues from them.
pub(super) fn check_patch(content: &[u8]) -> Result<(), String> {
    let is_blank = content.iter().all(u8::is_ascii_whitespace);
    let has_header = content.starts_with(b"diff --git ") || content.windows(12).any(|part| part == b"\ndiff --git ");
    if is_blank || has_header { Ok(()) } else { Err("must be a patch as `git diff --binary` writes it".to_owned()) }
}

/// Rejects paths that leave their root on any platform.
fn check_relative_path(path: &str) -> Result<(), String> {
    if !(1..=1024).contains(&path.len()) || path.chars().any(char::is_control) {
        return Err("must have 1 to 1024 characters".to_owned());
    }
    if path.chars().any(is_misleading) {
        return Err("must not hold characters that are invisible or change the direction of text".to_owned());
    }
    if path.split('/').any(is_git_folder) {
        return Err("must not lead into a folder .git".to_owned());
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

    use super::{super::report::MAX_EXECUTION_TIME_MS, *};

    fn result(changed: &Value) -> Result<TaskOutcome> {
        let task = super::super::task_id(crate::kernel::id::SessionId(uuid::Uuid::nil()), 1);
        let mut body = json!({"task_id": task, "status": "completed", "execution_time_ms": 1, "tokens_used": 2, "cost_usd": "0.5"});
        body.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        TaskOutcome::parse(serde_json::from_value(body).unwrap(), task)
    }

    #[test]
    fn paths_that_leave_their_root_are_refused_by_field() {
        for good in [
            "a",
            "a/b.txt",
            "a b/ä.md",
            ".hidden",
            "..a",
            "changes.patch",
            ".github/a.yml",
            ".gitignore",
            "👩\u{200d}💻.md",
        ] {
            assert!(result(&json!({"artifacts": [{"path": good, "content": ""}]})).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "/a",
            "..",
            "../a",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a\\..\\b",
            "C:/a",
            "a\nb",
            "a\0",
            "a\u{202e}b",
            "a\u{200b}",
            ".git/config",
            "a/.GIT/hooks/x",
            ".git",
        ] {
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

    #[test]
    fn a_file_of_changes_that_is_no_patch_is_refused_by_field() {
        let sent = |content: &str| result(&json!({"artifacts": [{"path": "changes.patch", "content": content}]}));
        for good in ["", "\n", "diff --git a/a b/a\nnew file mode 100644\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n"]
        {
            assert!(sent(good).is_ok(), "{good:?}");
        }
        for wrong in ["not a patch at all", "{}", "+ a line"] {
            assert_eq!(sent(wrong).unwrap_err().fields()[0].field, "artifacts[0].content", "{wrong:?}");
        }
    }

    #[test]
    fn an_artifact_has_its_content_or_the_hash_of_an_upload() {
        let (hash, sent) = ("a".repeat(64), |fields: Value| {
            let mut artifact = json!({"path": "a"});
            artifact.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            result(&json!({"artifacts": [artifact]}))
        });
        let outcome = sent(json!({"sha256": hash})).unwrap();
        assert_eq!(outcome.artifacts[0].content, ArtifactContent::Uploaded);
        assert_eq!((outcome.kept.artifacts[0].size, &outcome.kept.artifacts[0].sha256), (0, &hash));
        for (field, wrong) in [
            ("content", json!({})),
            ("content", json!({"content": "x", "sha256": hash})),
            ("sha256", json!({"sha256": "a"})),
            ("sha256", json!({"sha256": "A".repeat(64)})),
            ("sha256", json!({"sha256": "../".repeat(22)})),
        ] {
            assert_eq!(sent(wrong.clone()).unwrap_err().fields()[0].field, format!("artifacts[0].{field}"), "{wrong}");
        }
    }

    #[test]
    fn content_may_come_as_base64() {
        let sent = json!({"artifacts": [{"path": "a", "content": "AAE=", "encoding": "base64", "mime_type": "application/octet-stream"}]});
        assert_eq!(result(&sent).unwrap().artifacts[0].content, ArtifactContent::Sent(vec![0, 1]));
        let wrong = json!({"artifacts": [{"path": "a", "content": "?", "encoding": "base64"}]});
        assert_eq!(result(&wrong).unwrap_err().fields()[0].field, "artifacts[0].content");
    }
}
