//! What is remembered of a workspace, so that it can be collected after a restart of the runner.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    error::{NamePath, WorkspaceError},
    files::{as_owner, write_owned},
    settings::{CommitIdentity, Owner},
};

/// Something that the workspace lacks, although it can be worked in.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WorkspaceWarning {
    /// A stable code, such as `SUBMODULE_EMPTY`.
    pub code: String,
    /// A description for people.
    pub message: String,
}

/// One repository of a workspace: its own, or that of a submodule.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct WorkTree {
    /// The folder below the work tree of the session; empty for the first.
    pub(super) path: PathBuf,
    /// Our own repository of it.
    pub(super) repository: PathBuf,
    /// The commit that was checked out.
    pub(super) base: Option<String>,
    /// Its tree, or the empty one.
    pub(super) base_tree: String,
}

impl WorkTree {
    /// The index as the checkout left it: with it, files that nobody touched are not read again.
    pub(super) fn pristine_index(&self) -> PathBuf {
        self.repository.join("pristine-index")
    }
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct WorkspaceState {
    pub(super) session: String,
    /// The folder below the work tree in which the agent starts.
    pub(super) start: PathBuf,
    /// The session's own first, then submodules, each after its parent.
    pub(super) trees: Vec<WorkTree>,
    /// Folders of objects that the work tree's repositories borrow from.
    pub(super) borrowed: Vec<PathBuf>,
    pub(super) warnings: Vec<WorkspaceWarning>,
    /// Whether files are stored byte by byte, as in the folder that they were copied from.
    pub(super) is_verbatim: bool,
    /// The author of commits.
    pub(super) identity: CommitIdentity,
}

/// The folder of one session.
#[derive(Clone, Debug)]
pub(super) struct SessionFolder(PathBuf);

impl SessionFolder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The work tree, the only folder that an agent may see.
    pub(super) fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// Our own files.
    pub(super) fn meta(&self) -> PathBuf {
        self.0.join("meta")
    }

    /// The list of mirrors that the session may borrow from.
    pub(super) fn borrower(&self) -> PathBuf {
        self.meta().join("borrowed")
    }

    fn state_file(&self) -> PathBuf {
        self.meta().join("workspace.json")
    }

    /// Stores the state; from now on the workspace is complete.
    pub(super) fn save(&self, state: &WorkspaceState, owner: Option<Owner>) -> Result<(), WorkspaceError> {
        let text = serde_json::to_vec(state).map_err(|error| {
            WorkspaceError::new(WorkspaceError::FILES_FAILED, format!("the state cannot be written: {error}"))
        })?;
        let part = self.meta().join("workspace.part");
        write_owned(&part, &text, owner)?;
        as_owner(owner, || fs::rename(&part, self.state_file())).name_path(&part)
    }

    /// The state of a complete workspace.
    pub(super) fn load(&self) -> Option<WorkspaceState> {
        serde_json::from_slice(&fs::read(self.state_file()).ok()?).ok()
    }
}
