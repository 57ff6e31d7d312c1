//! The copies of one mirror on the disk. A copy is complete or has another name; a damaged one is replaced by a new one
//! and stays, because sessions borrow objects from it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    error::{NamePath, WorkspaceError},
    files::{remove_folder, remove_half_written},
};

/// A file of a copy, which is there while a fetch may have written half of something.
const FETCHING: &str = "ioc-fetching";

/// The folder of one mirror.
#[derive(Debug)]
pub(super) struct MirrorFolder(PathBuf);

impl MirrorFolder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The newest complete copy that is not damaged.
    pub(super) fn current(&self) -> Result<Option<PathBuf>, WorkspaceError> {
        let newest = self.numbers()?.into_iter().rev().find(|number| !self.damage_file(*number).exists());
        Ok(newest.map(|number| self.copy(number)))
    }

    /// A name for a new copy, which becomes complete by a rename to the second name.
    pub(super) fn next(&self) -> Result<(PathBuf, PathBuf), WorkspaceError> {
        let number = self.numbers()?.last().map_or(1, |last| last + 1);
        Ok((self.0.join(format!("{number}.part")), self.copy(number)))
    }

    /// Removes what was never completed, under the lock: its writer is gone, else it would hold the lock.
    pub(super) fn remove_incomplete(&self) -> Result<(), WorkspaceError> {
        for path in self.entries()? {
            if path.extension().is_some_and(|one| one == "part") {
                remove_folder(&path)?;
            }
        }
        Ok(())
    }

    /// Keeps all copies up to now from being used by new sessions.
    pub(super) fn retire_all_but(&self, kept: &Path) -> Result<(), WorkspaceError> {
        for number in self.numbers()? {
            if self.copy(number) != kept {
                let file = self.damage_file(number);
                fs::write(&file, "").name_path(&file)?;
            }
        }
        Ok(())
    }

    /// Removes damaged copies that nobody borrows from.
    pub(super) fn remove_retired(&self, is_borrowed: impl Fn(&Path) -> bool) -> Result<(), WorkspaceError> {
        for number in self.numbers()? {
            if self.damage_file(number).exists() && !is_borrowed(&self.copy(number)) {
                remove_folder(&self.copy(number))?;
                let file = self.damage_file(number);
                fs::remove_file(&file).name_path(&file)?;
            }
        }
        Ok(())
    }

    fn copy(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number}.git"))
    }

    fn damage_file(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number}.damaged"))
    }

    /// The numbers of complete copies, in order.
    fn numbers(&self) -> Result<Vec<u64>, WorkspaceError> {
        let number = |path: PathBuf| path.file_name()?.to_str()?.strip_suffix(".git")?.parse().ok();
        let mut numbers: Vec<u64> = self.entries()?.into_iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn entries(&self) -> Result<Vec<PathBuf>, WorkspaceError> {
        let entries = fs::read_dir(&self.0).name_path(&self.0)?;
        entries.map(|entry| Ok(entry.name_path(&self.0)?.path())).collect()
    }
}

/// Notes that a fetch into a copy begins, and cleans up after one that was killed.
pub(super) fn begin_fetch(copy: &Path) -> Result<(), WorkspaceError> {
    let marker = copy.join(FETCHING);
    if marker.exists() {
        remove_half_written(copy)?;
    }
    fs::write(&marker, "").name_path(&marker)
}

/// Notes that a fetch into a copy ended by itself.
pub(super) fn end_fetch(copy: &Path) -> Result<(), WorkspaceError> {
    let marker = copy.join(FETCHING);
    fs::remove_file(&marker).name_path(&marker)
}
