//! A session's workspace, and the work that is collected from it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    bundle::{KeptBranch, WorkBundle},
    check_out::VERBATIM_ATTRIBUTES,
    difference::Difference,
    error::WorkspaceError,
    files::{as_owner, create_private_folder, is_real_folder, remove_folder, remove_half_written, write_owned},
    git::Git,
    history::AgentHistory,
    preparation::{branch_of, submodules_below},
    snapshot::{OmissionReason, OmittedFile, Snapshot, SnapshotRequest},
    state::{SessionFolder, WorkTree, WorkspaceState, WorkspaceWarning},
    tree_change::TreeChange,
    untracked::path_of,
};
use crate::secret_mask::SecretMask;

/// How a path differs from the source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its content or its mode differs.
    Modified,
    /// It is gone.
    Deleted,
    /// It was a file and is a link, or the like.
    TypeChanged,
}

/// A path that differs from the source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangedPath {
    /// The path in the work tree, of any bytes.
    pub path: PathBuf,
    /// How it differs.
    pub kind: ChangeKind,
}

/// The work of a session against its source, the continued patch included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CollectedWork {
    /// A patch for `git apply` in a checkout of the base, binary files included. It is UTF-8. Changes within a
    /// submodule have full paths, so submodules must be checked out where the patch is applied.
    pub patch: Vec<u8>,
    /// What the patch changes.
    pub changed: Vec<ChangedPath>,
    /// Changed files that are not in the patch.
    pub omitted: Vec<OmittedFile>,
    /// Submodules with changes. The branch cannot hold them; the patch does.
    pub changed_submodules: Vec<PathBuf>,
    /// The branch of our own repository that keeps the work.
    pub branch: String,
    /// Its commit; none: there was nothing, and there is nothing. It descends from the base by the agent's own commits,
    /// where those could be imported, and one with what they lack.
    pub commit: Option<String>,
    /// The commit that the patch is for; none: it is for an empty folder.
    pub base: Option<String>,
}

/// The workspace of one session.
#[derive(Debug)]
pub struct Workspace {
    git: Arc<Git>,
    folder: SessionFolder,
    state: WorkspaceState,
    /// Two readers would write the same objects and attributes.
    reading: tokio::sync::Mutex<()>,
}

impl Workspace {
    pub(super) fn new(git: Arc<Git>, folder: SessionFolder, state: WorkspaceState) -> Self {
        Self { git, folder, state, reading: tokio::sync::Mutex::new(()) }
    }

    /// The session.
    pub fn session(&self) -> &str {
        &self.state.session
    }

    /// The folder that the agent works in: the only one that a sandbox binds writable.
    pub fn work_tree(&self) -> PathBuf {
        self.folder.work()
    }

    /// The folder in which the agent starts, within the work tree.
    pub fn start_folder(&self) -> PathBuf {
        self.folder.work().join(&self.state.start)
    }

    /// Folders of objects that a sandbox must bind read-only, at the same paths.
    pub fn borrowed_objects(&self) -> &[PathBuf] {
        &self.state.borrowed
    }

    /// The commit that the work begins from; none: an empty folder.
    pub fn base(&self) -> Option<&str> {
        self.state.trees.first().and_then(|tree| tree.base.as_deref())
    }

    /// What the workspace lacks.
    pub fn warnings(&self) -> &[WorkspaceWarning] {
        &self.state.warnings
    }

    /// As [`Workspace::collect_without_secrets`], for whoever may read everything.
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn collect(&self) -> Result<CollectedWork, WorkspaceError> {
        self.collect_without_secrets(&SecretMask::default()).await
    }

    /// Reads the files as they stand, whatever the agent did to its repository, and keeps them on the branch
    /// `ioc/<session>` of our own repository. The agent's processes must have ended or be stopped. Binary files with
    /// the value of a secret are omitted from the patch; in its text, whoever sends it replaces them.
    ///
    /// # Errors
    ///
    /// `WORKSPACE_WORK_TREE_MISSING` if the work tree is gone; else what git and the file system report. An error never
    /// means that there is no work.
    pub async fn collect_without_secrets(&self, mask: &SecretMask) -> Result<CollectedWork, WorkspaceError> {
        let _reading = self.reading.lock().await;
        if !is_real_folder(&self.folder.work(), Path::new("")) {
            let message = "the work tree of the session is gone";
            return Err(WorkspaceError::new(WorkspaceError::WORK_TREE_MISSING, message));
        }
        let mut budget = self.git.settings().limits.total_bytes;
        let mut work = CollectedWork {
            patch: Vec::new(),
            changed: Vec::new(),
            omitted: Vec::new(),
            changed_submodules: Vec::new(),
            branch: branch_of(&self.state.session),
            commit: None,
            base: self.base().map(str::to_owned),
        };
        for (at, tree) in self.state.trees.iter().enumerate() {
            // A submodule whose folder the agent removed or replaced is a change of its parent.
            if at > 0 && !is_real_folder(&self.folder.work(), &tree.path) {
                continue;
            }
            let snapshot = self.read(tree, &mut budget).await?;
            if at == 0 {
                work.commit = self.keep(tree, &snapshot).await?;
            } else if !snapshot.changes.is_empty() {
                work.changed_submodules.push(tree.path.clone());
            }
            self.add(&mut work, tree, snapshot, mask).await?;
        }
        Ok(work)
    }

    /// Collects the work and writes it as a git bundle, which outlives the workspace. Where the source is a repository,
    /// the bundle needs its base commit, unless nothing was changed; else it is complete. Changes within submodules and
    /// omitted files are not in it.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::collect`]; `WORKSPACE_GIT_FAILED` also where there is no commit at all.
    pub async fn bundle(&self, file: &Path) -> Result<(), WorkspaceError> {
        let work = self.collect().await?;
        let _reading = self.reading.lock().await;
        let unchanged = self.base().filter(|base| work.commit.as_deref() == Some(*base));
        let parents = unchanged.map(|base| format!("{base}^@"));
        let known = parents.as_deref().or(self.base()).filter(|_| !self.state.is_verbatim);
        self.kept_branch(&work.branch, known).write(file).await
    }

    /// The commits of collected work as a git bundle of at most so many bytes, in which no secret of the mask occurs:
    /// `git fetch` brings them into a clone of the source. Where the source has no commit, the bundle is complete, so
    /// that it can be cloned. Changes within submodules and further repositories are not in it.
    ///
    /// # Errors
    ///
    /// What git and the file system report; a bundle that could not be searched for secrets is an error as well.
    pub async fn bundle_without_secrets(
        &self,
        work: &CollectedWork,
        most_bytes: u64,
        mask: &SecretMask,
    ) -> Result<WorkBundle, WorkspaceError> {
        if self.state.is_verbatim || work.commit == work.base {
            return Ok(WorkBundle::Nothing);
        }
        let _reading = self.reading.lock().await;
        // Beside the folder of the session, which its agent's user owns.
        let folder = self.folder.path().parent().unwrap_or(self.folder.path());
        self.kept_branch(&work.branch, self.base()).read_without_secrets(folder, most_bytes, mask).await
    }

    fn kept_branch<'a>(&'a self, branch: &'a str, known: Option<&'a str>) -> KeptBranch<'a> {
        KeptBranch { git: &self.git, repository: &self.state.trees[0].repository, branch, known }
    }

    async fn read(&self, tree: &WorkTree, budget: &mut u64) -> Result<Snapshot, WorkspaceError> {
        let owner = self.git.settings().owner;
        let scratch = self.folder.meta().join("scratch");
        remove_folder(&scratch)?;
        create_private_folder(&scratch, owner)?;
        // An earlier call may have been given up, or killed, anywhere.
        as_owner(owner, || remove_half_written(&tree.repository))?;
        let attributes = if self.state.is_verbatim { VERBATIM_ATTRIBUTES } else { b"" };
        write_owned(&tree.repository.join("info/attributes"), attributes, owner)?;
        let request = SnapshotRequest {
            git: &self.git,
            repository: &tree.repository,
            work: &self.folder.work().join(&tree.path),
            base_tree: &tree.base_tree,
            index: &tree.pristine_index(),
            scratch: &scratch,
            submodules: &submodules_below(&self.state.trees, &tree.path),
        };
        let snapshot = request.read(budget).await;
        remove_folder(&scratch)?;
        snapshot
    }

    /// Puts the work on the branch that survives: the agent's own commits, and what they lack as one commit more.
    async fn keep(&self, tree: &WorkTree, snapshot: &Snapshot) -> Result<Option<String>, WorkspaceError> {
        let parent = self.import_history(tree).await?.or_else(|| tree.base.clone());
        let call = || self.git.on_session(&tree.repository, None);
        let parent_tree = match &parent {
            Some(parent) => call().args(["rev-parse", "--verify"]).arg(format!("{parent}^{{tree}}")).line().await?,
            None => tree.base_tree.clone(),
        };
        let commit = if parent_tree == snapshot.tree {
            parent
        } else {
            let parents = parent.iter().flat_map(|parent| ["-p", parent]);
            let commit = call().args(["commit-tree", &snapshot.tree]).args(parents).arg("-m");
            let commit = commit.arg(format!("ioc: Work of session {}", self.state.session));
            Some(self.state.identity.apply_to(commit).line().await?)
        };
        if let Some(commit) = &commit {
            let update = call().arg("update-ref").arg(format!("refs/heads/{}", branch_of(&self.state.session)));
            update.arg(commit).run().await?;
        }
        Ok(commit)
    }

    async fn import_history(&self, tree: &WorkTree) -> Result<Option<String>, WorkspaceError> {
        let scratch = self.folder.meta().join("history");
        remove_folder(&scratch)?;
        let history = AgentHistory {
            git: &self.git,
            work: &self.folder.work(),
            repository: &tree.repository,
            base: tree.base.as_deref(),
            scratch: &scratch,
            most_bytes: self.git.settings().limits.total_bytes,
        };
        let tip = history.import().await;
        remove_folder(&scratch)?;
        Ok(tip)
    }

    async fn add(
        &self,
        work: &mut CollectedWork,
        tree: &WorkTree,
        snapshot: Snapshot,
        mask: &SecretMask,
    ) -> Result<(), WorkspaceError> {
        let difference = Difference {
            git: &self.git,
            repository: &tree.repository,
            base_tree: &tree.base_tree,
            tree: &snapshot.tree,
            folder: &tree.path,
            mask,
        };
        let written = difference.write(&snapshot.changes).await?;
        work.patch.extend(written.text);
        let is_missing = |name| written.unwritten.contains(name) || written.withheld.contains(name);
        let delivered = snapshot.changes.iter().filter(|change| !is_missing(&change.path));
        work.changed.extend(delivered.map(|change| describe(change, &tree.path)));
        let omitted = snapshot.omitted.into_iter();
        work.omitted.extend(omitted.map(|file| OmittedFile { path: tree.path.join(&file.path), ..file }));
        let unwritten = written.unwritten.iter().map(|name| (name, OmissionReason::NotText));
        let withheld = written.withheld.iter().map(|name| (name, OmissionReason::HasSecret));
        for (name, reason) in unwritten.chain(withheld) {
            let path = tree.path.join(path_of(name));
            let bytes = fs::symlink_metadata(self.folder.work().join(&path)).map_or(0, |file| file.len());
            work.omitted.push(OmittedFile { path, bytes, reason });
        }
        Ok(())
    }
}

fn describe(change: &TreeChange, folder: &Path) -> ChangedPath {
    let kind = match change.status {
        b'A' => ChangeKind::Added,
        b'D' => ChangeKind::Deleted,
        b'T' => ChangeKind::TypeChanged,
        _ => ChangeKind::Modified,
    };
    ChangedPath { path: folder.join(path_of(&change.path)), kind }
}
