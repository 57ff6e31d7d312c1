//! Finds files that nobody touched although they differ from the base: where a repository stores what its own
//! attributes would store otherwise (line ends, encodings), reading the file back does not yield the stored content.
//!
//! Each suspicious file is checked out from the base once more, elsewhere, and read back under the attributes of now.
//! If that yields what the work tree yielded, the file in the work tree is as it was handed over.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    error::WorkspaceError,
    files::{as_owner, create_private_folder},
    git::Git,
    git_call::GitCall,
    tree_change::{TreeChange, parse_stage},
    untracked::{TrackedPaths, path_of},
};

const ATTRIBUTES: &[u8] = b".gitattributes";

/// One look at the changes of a work tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Normalization<'a> {
    pub(super) git: &'a Git,
    pub(super) repository: &'a Path,
    pub(super) base_tree: &'a str,
    /// The index of the work tree as it stands.
    pub(super) index: &'a Path,
    /// A folder for temporary files.
    pub(super) scratch: &'a Path,
}

impl Normalization<'_> {
    /// The changed paths whose content nobody changed.
    pub(super) async fn find_unchanged(
        self,
        tracked: &TrackedPaths,
        changes: &[TreeChange],
    ) -> Result<BTreeSet<Vec<u8>>, WorkspaceError> {
        let is_modified = |change: &&TreeChange| change.status == b'M' && change.old_mode.starts_with("100");
        let suspects: Vec<_> = changes.iter().filter(is_modified).collect();
        let at_base: Vec<_> = tracked.keys().filter(|path| is_attributes(path)).cloned().collect();
        let now = attributes_of_now(&at_base, changes);
        if suspects.is_empty() || at_base.is_empty() && now.is_empty() {
            return Ok(BTreeSet::new());
        }
        let paths: Vec<_> = suspects.iter().map(|change| change.path.clone()).collect();
        create_private_folder(&self.files(), self.git.settings().owner)?;
        self.call(&self.base_index()).args(["read-tree", self.base_tree]).run().await?;
        self.check_out(&self.base_index(), &[at_base.as_slice(), &paths].concat()).await?;
        for path in &at_base {
            // A path that the checkout refused is not there.
            let _ = as_owner(self.git.settings().owner, || std::fs::remove_file(self.files().join(path_of(path))));
        }
        self.check_out(self.index, &now).await?;
        let store = self.call(&self.base_index()).args(["update-index", "-z", "--stdin"]);
        // What cannot be read back was not stored by anybody's checkout either: it counts as changed.
        if !store.input(nul_terminated(&paths)).output().await?.status.success() {
            return Ok(BTreeSet::new());
        }
        let objects = parse_stage(&self.call(&self.base_index()).args(["ls-files", "-z", "--stage"]).run().await?);
        let is_same = |change: &&&TreeChange| objects.get(&change.path) == Some(&change.new_object);
        Ok(suspects.iter().filter(is_same).map(|change| change.path.clone()).collect())
    }

    fn files(&self) -> PathBuf {
        self.scratch.join("normalized")
    }

    fn base_index(&self) -> PathBuf {
        self.scratch.join("normalized-index")
    }

    fn call(&self, index: &Path) -> GitCall {
        self.git.on_session(self.repository, Some(&self.files())).env("GIT_INDEX_FILE", index)
    }

    async fn check_out(&self, index: &Path, paths: &[Vec<u8>]) -> Result<(), WorkspaceError> {
        if paths.is_empty() {
            return Ok(());
        }
        let call = self.call(index).args(["checkout-index", "-z", "-f", "-q", "--stdin"]);
        // A path that one of the two trees lacks is reported by the status and makes no difference.
        call.input(nul_terminated(paths)).output().await.map(drop)
    }
}

/// The files of attributes that the work tree has.
fn attributes_of_now(at_base: &[Vec<u8>], changes: &[TreeChange]) -> Vec<Vec<u8>> {
    let (deleted, stored): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.status == b'D');
    let removed: BTreeSet<_> = deleted.into_iter().map(|change| &change.path).collect();
    let added = stored.into_iter().map(|change| &change.path).filter(|path| is_attributes(path));
    let present: BTreeSet<_> = at_base.iter().filter(|path| !removed.contains(path)).chain(added).cloned().collect();
    present.into_iter().collect()
}

fn is_attributes(path: &[u8]) -> bool {
    path.strip_suffix(ATTRIBUTES).is_some_and(|folder| folder.is_empty() || folder.ends_with(b"/"))
}

fn nul_terminated(paths: &[Vec<u8>]) -> Vec<u8> {
    let mut input = paths.join(&0);
    input.push(0);
    input
}
