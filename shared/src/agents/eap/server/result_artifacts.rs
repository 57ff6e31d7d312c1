//! The artifacts of a result: what may be sent, and where their content is.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::kernel::{
    error::ValidationErrors,
    text::{is_git_folder, is_misleading},
};

use super::{MAX_ARTIFACTS, PATCH_PATH};

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

/// An artifact of a valid result.
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

/// A stored artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredArtifact {
    pub path: String,
    pub mime_type: String,
    pub size: usize,
    pub sha256: String,
}

/// Parses the artifacts of a result, each as it is sent and as it is stored.
pub(super) fn parse_artifacts(
    refused: &mut ValidationErrors,
    sent: Vec<NewArtifact>,
) -> Vec<(TaskArtifact, StoredArtifact)> {
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
        refused.check(&field("mime_type"), check_media_type(&mime_type));
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

fn check_media_type(text: &str) -> Result<(), String> {
    let is_visible = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let is_type = is_visible && (3..=200).contains(&text.len()) && text.contains('/');
    if is_type { Ok(()) } else { Err("must be a media type such as text/plain".to_owned()) }
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
    use serde_json::{Value, json};

    use super::{
        super::result::{NewResult, TaskOutcome},
        *,
    };
    use crate::kernel::error::Result;

    fn result(changed: &Value) -> Result<TaskOutcome> {
        let task = super::super::task_id(crate::kernel::id::SessionId(uuid::Uuid::nil()), 1);
        let mut body = json!({"task_id": task, "status": "completed"});
        body.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        TaskOutcome::parse(serde_json::from_value::<NewResult>(body).unwrap(), task)
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
