//! Repositories that the agent under test works in, and its patches.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokio::{fs, process::Command};

/// A repository with one commit.
pub(super) struct Workspace {
    folder: PathBuf,
    base: String,
}

impl Workspace {
    /// Creates a repository with one file.
    pub(super) async fn create(folder: PathBuf, file: &str, text: &str) -> Result<Self> {
        fs::create_dir_all(&folder).await?;
        fs::write(folder.join(file), text).await?;
        for arguments in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "Begin"]] {
            git(&folder, arguments).await?;
        }
        let base = git(&folder, &["rev-parse", "HEAD"]).await?.trim().to_owned();
        Ok(Self { folder, base })
    }

    /// The path of a folder beside this one.
    pub(super) fn sibling(&self, name: &str) -> PathBuf {
        self.folder.with_file_name(name)
    }

    pub(super) fn directory(&self) -> String {
        self.folder.display().to_string()
    }

    /// Everything that a change of the repository would change: its commit, and what is not committed.
    pub(super) async fn state(&self) -> Result<String> {
        let head = git(&self.folder, &["rev-parse", "HEAD"]).await?;
        Ok(head + &git(&self.folder, &["status", "--porcelain"]).await?)
    }

    /// Applies a patch to a fresh clone of the first commit, and returns the content of one of its files.
    pub(super) async fn apply(&self, patch: &str, file: &str) -> Result<String> {
        let copy = self.patched_copy(patch).await?;
        fs::read_to_string(copy.join(file)).await.with_context(|| format!("the patch leaves no file {file}"))
    }

    /// Checks that a patch applies to a fresh clone of the first commit.
    pub(super) async fn check_patch(&self, patch: &str) -> Result<()> {
        self.patched_copy(patch).await.map(|_| ())
    }

    async fn patched_copy(&self, patch: &str) -> Result<PathBuf> {
        let copy = self.folder.with_extension("copy");
        if copy.exists() {
            fs::remove_dir_all(&copy).await?;
        }
        git(&self.folder, &["clone", "-q", "--no-checkout", ".", &copy.display().to_string()]).await?;
        git(&copy, &["checkout", "-q", &self.base]).await?;
        let file = copy.with_extension("patch");
        fs::write(&file, patch).await?;
        git(&copy, &["apply", &file.display().to_string()]).await?;
        Ok(copy)
    }
}

/// The patch in a result: its artifact `changes.patch`.
pub(super) fn patch_of(result: &Value) -> Result<String> {
    let artifacts = result["artifacts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let patch = artifacts.iter().find(|artifact| artifact["path"] == "changes.patch");
    let patch = patch.context("the result has no artifact changes.patch")?;
    let content = patch["content"].as_str().context("changes.patch has no content")?;
    let content = if patch["encoding"] == "base64" {
        String::from_utf8(STANDARD.decode(content).context("changes.patch is not base64")?)?
    } else {
        content.to_owned()
    };
    ensure!(!content.trim().is_empty(), "changes.patch is empty");
    Ok(content)
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let identity = ["-c", "user.name=ioc", "-c", "user.email=ioc@localhost"];
    let done = Command::new("git").args(identity).args(arguments).current_dir(folder).output().await?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "git {}: {}", arguments[0], said.trim());
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
