//! Applies the patch of an earlier run. The agent finds it as a commit; what is collected is compared with the source,
//! so it contains the patch as well.

use std::{collections::BTreeSet, path::Path};

use super::{
    error::WorkspaceError, git::Git, git_call::GitCall, git_stderr::quote_stderr, settings::CommitIdentity,
    snapshot::SnapshotRequest, state::WorkTree,
};

/// Where a patch is applied. It happens before the agent has the workspace, so its repository is as we made it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Continuation<'a> {
    pub(super) git: &'a Git,
    pub(super) work: &'a Path,
    pub(super) tree: &'a WorkTree,
    pub(super) scratch: &'a Path,
    pub(super) submodules: &'a BTreeSet<Vec<u8>>,
    pub(super) identity: &'a CommitIdentity,
}

impl Continuation<'_> {
    /// Applies the patch to the files and commits it on the agent's branch.
    pub(super) async fn apply(self, patch: &str) -> Result<(), WorkspaceError> {
        let apply = |mode: &'static [&'static str]| {
            let call = self.call().arg("apply").args(mode).arg("--whitespace=nowarn");
            call.input(patch.as_bytes().to_vec()).output()
        };
        let mut output = apply(&[]).await?;
        if !output.status.success() {
            // The source moved on since the patch was made.
            output = apply(&["--3way"]).await?;
        }
        if !output.status.success() {
            let message = format!("the work of the earlier run does not apply: {}", quote_stderr(&output.stderr));
            return Err(WorkspaceError::new(WorkspaceError::PATCH_REFUSED, message));
        }
        self.commit().await
    }

    fn call(&self) -> GitCall {
        self.git.on_session(&self.work.join(".git"), Some(self.work))
    }

    async fn commit(&self) -> Result<(), WorkspaceError> {
        let repository = self.work.join(".git");
        let request = SnapshotRequest {
            git: self.git,
            repository: &repository,
            work: self.work,
            base_tree: &self.tree.base_tree,
            index: &self.tree.pristine_index(),
            scratch: self.scratch,
            submodules: self.submodules,
        };
        let snapshot = request.read(&mut u64::MAX.clone()).await?;
        if snapshot.changes.is_empty() {
            return Ok(());
        }
        let parents = self.tree.base.iter().flat_map(|base| ["-p", base]);
        let commit = self.call().args(["commit-tree", &snapshot.tree]).args(parents);
        let commit = commit.args(["-m", "ioc: Work of an earlier run"]);
        let commit = self.identity.apply_to(commit).line().await?;
        self.call().args(["update-ref", "HEAD", &commit]).run().await?;
        self.call().args(["read-tree", "--reset", &commit]).run().await?;
        self.call().args(["update-index", "-q", "--refresh"]).output().await.map(drop)
    }
}

impl CommitIdentity {
    /// Makes a call commit as this identity.
    pub(super) fn apply_to(&self, call: GitCall) -> GitCall {
        let call = call.env("GIT_AUTHOR_NAME", &self.name).env("GIT_AUTHOR_EMAIL", &self.email);
        call.env("GIT_COMMITTER_NAME", &self.name).env("GIT_COMMITTER_EMAIL", &self.email)
    }
}
