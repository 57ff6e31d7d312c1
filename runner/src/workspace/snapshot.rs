//! Reads a work tree as it stands into a tree object of our own repository, whatever the agent did to its own.
//!
//! The agent must not run meanwhile: a folder that becomes a link while it is read could lead elsewhere.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    error::WorkspaceError,
    files::copy_index,
    git::Git,
    git_call::GitCall,
    normalization::Normalization,
    tree_change::{TreeChange, parse_raw_changes},
    untracked::{SUBMODULE_MODE, TrackedPaths, UntrackedSearch, path_of, split_nul},
};

/// How many calls may be spent on finding the files that git refuses.
const MOST_REFUSAL_CALLS: usize = 400;

/// Why a file is not part of the collected work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OmissionReason {
    /// It is larger than one file may be.
    TooLarge,
    /// With it, the work would be larger than it may be in all.
    TotalTooLarge,
    /// The agent took away the permission to read it.
    Unreadable,
    /// Git does not store it: its name or its declared encoding is not allowed.
    Refused,
    /// It is a link whose target is no UTF-8, which a patch cannot express. The kept branch has it.
    NotText,
    /// It is a binary file that holds the value of a secret, now or in the base. The kept branch has it.
    HasSecret,
}

/// A file that was changed and is not part of the collected work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OmittedFile {
    /// The path in the work tree.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Why it is left out.
    pub reason: OmissionReason,
}

/// A tree of the files, and how it differs from the base.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) tree: String,
    pub(super) changes: Vec<TreeChange>,
    pub(super) omitted: Vec<OmittedFile>,
}

/// What is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct SnapshotRequest<'a> {
    pub(super) git: &'a Git,
    /// The repository that gets the objects: one that the agent cannot reach, or has not yet reached.
    pub(super) repository: &'a Path,
    pub(super) work: &'a Path,
    pub(super) base_tree: &'a str,
    /// The index as the checkout left it.
    pub(super) index: &'a Path,
    /// An empty folder for temporary files.
    pub(super) scratch: &'a Path,
    /// Submodules that are read by themselves.
    pub(super) submodules: &'a BTreeSet<Vec<u8>>,
}

/// The paths that an index must be brought up to date with.
#[derive(Debug, Default)]
struct Candidates {
    removed: Vec<Vec<u8>>,
    stored: Vec<Vec<u8>>,
    untracked: BTreeSet<Vec<u8>>,
    omitted: Vec<OmittedFile>,
}

impl SnapshotRequest<'_> {
    /// Reads the work tree. `budget` is what remains of the bytes of all work trees.
    pub(super) async fn read(self, budget: &mut u64) -> Result<Snapshot, WorkspaceError> {
        if self.index.exists() {
            copy_index(self.index, &self.scratch_index(), self.git.settings().owner)?;
        }
        // Files that were only touched are compared by content here, and are unchanged afterwards. The status says
        // that others differ.
        self.call().args(["update-index", "-q", "--refresh", "--ignore-submodules"]).output().await?;
        let tracked = self.tracked_paths().await?;
        let mut found = self.find_candidates(&tracked, budget).await?;
        self.remove_from_index(&found.removed, &tracked).await?;
        self.store(&mut found).await?;
        let mut tree = self.call().arg("write-tree").line().await?;
        let mut changes = self.compare(&tree).await?;
        let normalization = Normalization {
            git: self.git,
            repository: self.repository,
            base_tree: self.base_tree,
            index: &self.scratch_index(),
            scratch: self.scratch,
        };
        let unchanged = normalization.find_unchanged(&tracked, &changes).await?;
        if !unchanged.is_empty() {
            self.restore(changes.iter().filter(|change| unchanged.contains(&change.path))).await?;
            tree = self.call().arg("write-tree").line().await?;
            changes = self.compare(&tree).await?;
        }
        let stored: BTreeSet<_> = changes.iter().map(|change| &change.path).collect();
        let refused = found.untracked.iter().filter(|path| !stored.contains(path));
        let refused: Vec<_> = refused.map(|path| self.omit(path, OmissionReason::Refused)).collect();
        found.omitted.extend(refused);
        found.omitted.sort_by(|one, other| one.path.cmp(&other.path));
        found.omitted.dedup_by(|one, other| one.path == other.path);
        Ok(Snapshot { tree, changes, omitted: found.omitted })
    }

    /// A call with an index of this snapshot's own.
    pub(super) fn call(&self) -> GitCall {
        self.git.on_session(self.repository, Some(self.work)).env("GIT_INDEX_FILE", self.scratch_index())
    }

    fn scratch_index(&self) -> PathBuf {
        self.scratch.join("index")
    }

    async fn tracked_paths(&self) -> Result<TrackedPaths, WorkspaceError> {
        let output = self.call().args(["ls-files", "-z", "--stage"]).run().await?;
        let entry = |line: &[u8]| {
            let tab = line.iter().position(|byte| *byte == b'\t')?;
            Some((line[tab + 1..].to_vec(), String::from_utf8_lossy(line.get(..6)?).into_owned()))
        };
        Ok(split_nul(&output).filter_map(entry).collect())
    }

    async fn find_candidates(&self, tracked: &TrackedPaths, budget: &mut u64) -> Result<Candidates, WorkspaceError> {
        let mut found = Candidates::default();
        let list = ["diff-files", "-z", "--name-status", "--no-renames", "--ignore-submodules=all"];
        let output = self.call().args(list).run().await?;
        let mut fields = split_nul(&output);
        let mut paths = Vec::new();
        while let (Some(status), Some(path)) = (fields.next(), fields.next()) {
            if status == b"D" { found.removed.push(path.to_vec()) } else { paths.push(path.to_vec()) }
        }
        for (path, _) in tracked.iter().filter(|(_, mode)| *mode == SUBMODULE_MODE) {
            if !super::files::is_real_folder(self.work, &path_of(path)) {
                found.removed.push(path.clone());
            }
        }
        let search = UntrackedSearch {
            git: self.git,
            repository: self.repository,
            work: self.work,
            tracked,
            excluded: self.submodules,
        };
        let untracked = search.run().await?;
        found.omitted.extend(untracked.unreadable.iter().map(|path| self.omit(path, OmissionReason::Unreadable)));
        found.untracked.extend(untracked.files.iter().cloned());
        paths.extend(untracked.files);
        paths.sort_unstable();
        for path in paths {
            self.admit(path, &mut found, budget);
        }
        Ok(found)
    }

    /// Decides on one changed file by what it is now.
    fn admit(&self, path: Vec<u8>, found: &mut Candidates, budget: &mut u64) {
        let limits = &self.git.settings().limits;
        let reason = match fs::symlink_metadata(self.work.join(path_of(&path))) {
            Ok(file) if file.is_file() && file.len() > limits.file_bytes => Some(OmissionReason::TooLarge),
            Ok(file) if file.is_file() && file.len() > *budget => Some(OmissionReason::TotalTooLarge),
            Ok(file) if file.is_file() && file.mode() & 0o400 == 0 && !self.reads_everything() => {
                Some(OmissionReason::Unreadable)
            }
            Ok(file) if file.is_file() || file.is_symlink() => {
                *budget = budget.saturating_sub(file.len());
                None
            }
            // It vanished, or became a pipe, a socket or a device.
            _ => {
                if !found.untracked.remove(&path) {
                    found.removed.push(path);
                }
                return;
            }
        };
        if let Some(reason) = reason {
            found.untracked.remove(&path);
            found.omitted.push(self.omit(&path, reason));
        } else {
            found.stored.push(path);
        }
    }

    fn reads_everything(&self) -> bool {
        self.git.settings().owner.map_or_else(|| nix::unistd::geteuid().is_root(), |owner| owner.uid == 0)
    }

    fn omit(&self, path: &[u8], reason: OmissionReason) -> OmittedFile {
        let path = path_of(path);
        let bytes = fs::symlink_metadata(self.work.join(&path)).map_or(0, |file| file.len());
        OmittedFile { path, bytes, reason }
    }

    async fn remove_from_index(&self, paths: &[Vec<u8>], tracked: &TrackedPaths) -> Result<(), WorkspaceError> {
        let zero = "0".repeat(self.base_tree.len());
        let removed = paths.iter().filter(|path| tracked.contains_key(*path));
        let lines: Vec<_> = removed.map(|path| (format!("0 {zero}"), path.as_slice())).collect();
        self.set_in_index(&lines).await
    }

    /// Gives paths the object of the base. A mode that was changed stays so.
    async fn restore(&self, changes: impl Iterator<Item = &TreeChange>) -> Result<(), WorkspaceError> {
        let line = |change| {
            let TreeChange { path, new_mode, old_object, .. }: &TreeChange = change;
            (format!("{new_mode} {old_object}"), path.as_slice())
        };
        self.set_in_index(&changes.map(line).collect::<Vec<_>>()).await
    }

    async fn set_in_index(&self, lines: &[(String, &[u8])]) -> Result<(), WorkspaceError> {
        let mut input = Vec::new();
        for (entry, path) in lines {
            input.extend_from_slice(entry.as_bytes());
            input.push(b'\t');
            input.extend_from_slice(path);
            input.push(0);
        }
        self.call().args(["update-index", "-z", "--index-info"]).input(input).run().await.map(drop)
    }

    /// Stores files, and finds those that git refuses by halving the list, so that one of them does not cost the rest.
    async fn store(&self, found: &mut Candidates) -> Result<(), WorkspaceError> {
        let mut parts = vec![std::mem::take(&mut found.stored)];
        let mut calls = 0;
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let Err(error) = self.store_part(&part).await else { continue };
            calls += 1;
            if error.code() != WorkspaceError::GIT_FAILED || calls > MOST_REFUSAL_CALLS {
                return Err(error);
            }
            if let [path] = part.as_slice() {
                found.untracked.remove(path);
                found.omitted.push(self.omit(path, OmissionReason::Refused));
            } else {
                parts.push(part.split_off(part.len() / 2));
                parts.push(part);
            }
        }
        Ok(())
    }

    async fn store_part(&self, paths: &[Vec<u8>]) -> Result<(), WorkspaceError> {
        let mut input = paths.join(&0);
        input.push(0);
        let call = self.call().args(["update-index", "-z", "--add", "--replace", "--stdin"]);
        call.input(input).run().await.map(drop)
    }

    async fn compare(&self, tree: &str) -> Result<Vec<TreeChange>, WorkspaceError> {
        let options = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", self.base_tree, tree];
        Ok(parse_raw_changes(&self.call().args(options).run().await?))
    }
}
