//! The workspace: made by a script on the agent's machine, under a path of the session's own.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{
    OpenCode,
    shell::{Report, Values},
    state::State,
};
use crate::{agents::contract::Assignment, kernel::failure::Failure};

const PREPARE: &str = include_str!("scripts/prepare.sh");
const CLAIM: &str = include_str!("scripts/claim.sh");
const STORE: &str = include_str!("scripts/store.sh");
/// Bytes of a patch per call: as base64, within a script, they stay below the 128 KiB that one argument may have.
const PIECE: usize = 64 << 10;

/// What a workspace is to hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan<'a> {
    /// The state whose base commit is to be started from.
    pub(super) from: Option<&'a State>,
    /// Applied where the workspace is made anew.
    pub(super) patch: &'a str,
    /// Take the files of an earlier run as they stand, if they do.
    pub(super) kept: bool,
}

/// A workspace that is ready.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) worktree: String,
    pub(super) directory: String,
    pub(super) base: String,
    pub(super) repository: String,
    /// The agent's session that this run claimed before.
    pub(super) session: Option<String>,
}

impl OpenCode {
    /// Makes the workspace of this run, or finds it made.
    pub(super) async fn prepare(&self, assignment: &Assignment, plan: Plan<'_>) -> Result<Place, Failure> {
        let values = self.plan_values(assignment, plan);
        let mut report = self.run(&values, PREPARE).await?;
        if report.text("wanted").is_some() {
            self.store(assignment, plan.patch).await?;
            report = self.run(&values, PREPARE).await?;
        }
        place(&report)
    }

    fn plan_values(&self, assignment: &Assignment, plan: Plan<'_>) -> Values {
        let workspace = assignment.workspace.clone().unwrap_or_default();
        let repository = workspace.repository.unwrap_or_default();
        let from = plan.from.cloned().unwrap_or_default();
        let nothing = plan.patch.trim().is_empty();
        let patch_key = if nothing { String::new() } else { key(plan.patch) };
        let pieces = if nothing { 0 } else { plan.patch.len().div_ceil(PIECE) };
        self.values(assignment)
            .with("run", &assignment.run.to_string())
            .with("kept", if plan.kept { "1" } else { "0" })
            .with("repository_key", &key(&repository)[..32])
            .with("repository", &repository)
            .with("reference", &workspace.reference.unwrap_or_default())
            .with("directory", &workspace.directory.unwrap_or_default())
            .with_list("roots", &self.settings.directory_roots)
            .with("asked_base", &from.base)
            .with("source_repository", &from.repository)
            .with("patch_key", &patch_key)
            .with("pieces", &pieces.to_string())
    }

    /// What every script needs.
    pub(super) fn values(&self, assignment: &Assignment) -> Values {
        // A script that waits for another gives up before we would.
        let patience = self.settings.prepare_timeout.as_secs().saturating_sub(5).max(1);
        Values::default()
            .with("root", &self.settings.workspace_root)
            .with("tenant", &assignment.tenant_id.to_string())
            .with("session", &assignment.session_id.to_string())
            .with("git_name", &self.settings.git_name)
            .with("git_email", &self.settings.git_email)
            .with("patience", &patience.to_string())
    }

    async fn store(&self, assignment: &Assignment, patch: &str) -> Result<(), Failure> {
        for (number, piece) in patch.as_bytes().chunks(PIECE).enumerate() {
            let values = self
                .values(assignment)
                .with("patch_key", &key(patch))
                .with("number", &number.to_string())
                .with("piece", &STANDARD.encode(piece));
            self.run(&values, STORE).await?.required("stored")?;
        }
        Ok(())
    }

    /// Makes `candidate` the agent's session of this run, unless another is; the answer is the one that is.
    pub(super) async fn claim(
        &self,
        assignment: &Assignment,
        candidate: &str,
        instead_of: Option<&str>,
    ) -> Result<String, Failure> {
        let values = self
            .values(assignment)
            .with("run", &assignment.run.to_string())
            .with("candidate", candidate)
            .with("instead_of", instead_of.unwrap_or_default());
        self.run(&values, CLAIM).await?.required("session")
    }
}

fn place(report: &Report) -> Result<Place, Failure> {
    Ok(Place {
        worktree: report.required("worktree")?,
        directory: report.required("directory")?,
        base: report.required("base")?,
        repository: report.required("repository")?,
        session: report.text("session"),
    })
}

/// SHA-256 in hexadecimal.
fn key(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
