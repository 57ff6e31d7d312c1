//! Finds the files that an agent added. We read folders ourselves, because git takes a repository within the work tree
//! for one unit and would keep a pointer to it; git only decides what is ignored.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use super::{error::WorkspaceError, git::Git};

/// The mode of a submodule in an index.
pub(super) const SUBMODULE_MODE: &str = "160000";

/// Begins a path that is not to be taken for a pattern.
const HERE: &[u8] = b"./";

/// What an index has: the mode of each path.
pub(super) type TrackedPaths = BTreeMap<Vec<u8>, String>;

/// A search in one work tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct UntrackedSearch<'a> {
    pub(super) git: &'a Git,
    pub(super) repository: &'a Path,
    pub(super) work: &'a Path,
    pub(super) tracked: &'a TrackedPaths,
    /// Folders that are collected by themselves.
    pub(super) excluded: &'a BTreeSet<Vec<u8>>,
}

/// What was found, relative to the work tree.
#[derive(Debug, Default)]
pub(super) struct UntrackedPaths {
    pub(super) files: Vec<Vec<u8>>,
    /// Folders that cannot be read.
    pub(super) unreadable: Vec<Vec<u8>>,
}

/// One entry of a folder.
struct Entry {
    path: Vec<u8>,
    is_folder: bool,
}

impl UntrackedSearch<'_> {
    /// Goes down folder level by folder level, so that git is asked once per level and ignored folders are never read.
    pub(super) async fn run(self) -> Result<UntrackedPaths, WorkspaceError> {
        let mut found = UntrackedPaths::default();
        let mut level = vec![Vec::new()];
        while !level.is_empty() {
            let (entries, unreadable) = read_level(self.work, std::mem::take(&mut level)).await?;
            found.unreadable.extend(unreadable);
            let entries: Vec<_> = entries.into_iter().filter(|entry| self.is_candidate(entry)).collect();
            let ignored = self.find_ignored(&entries).await?;
            for entry in entries.into_iter().filter(|entry| !ignored.contains(&entry.path)) {
                if entry.is_folder { level.push(entry.path) } else { found.files.push(entry.path) }
            }
        }
        found.files.sort_unstable();
        Ok(found)
    }

    fn is_candidate(&self, entry: &Entry) -> bool {
        let mode = self.tracked.get(&entry.path);
        if entry.is_folder {
            !self.excluded.contains(&entry.path)
        } else {
            mode.is_none_or(|mode| mode == SUBMODULE_MODE)
        }
    }

    async fn find_ignored(&self, entries: &[Entry]) -> Result<BTreeSet<Vec<u8>>, WorkspaceError> {
        if entries.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut input = Vec::new();
        for entry in entries {
            input.extend_from_slice(HERE);
            input.extend_from_slice(&entry.path);
            input.push(0);
        }
        let call = self.git.on_session(self.repository, Some(self.work));
        let output = call.args(["check-ignore", "-z", "--stdin", "--no-index"]).input(input).output().await?;
        // 1: none is ignored.
        if !matches!(output.status.code(), Some(0 | 1)) {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(WorkspaceError::new(WorkspaceError::GIT_FAILED, format!("git check-ignore: {text}")));
        }
        let paths = split_nul(&output.stdout).filter_map(|path| path.strip_prefix(HERE));
        Ok(paths.map(<[u8]>::to_vec).collect())
    }
}

/// Paths of git's output with `-z`.
pub(super) fn split_nul(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split(|byte| *byte == 0).filter(|path| !path.is_empty())
}

/// The path of a name that git gave or takes.
pub(super) fn path_of(name: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(name))
}

/// All files and links below a folder, whatever is ignored, and the folders that cannot be read.
pub(super) async fn list_files(top: &Path) -> Result<(Vec<Vec<u8>>, Vec<PathBuf>), WorkspaceError> {
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    let mut level = vec![Vec::new()];
    while !level.is_empty() {
        let (entries, closed) = read_level(top, std::mem::take(&mut level)).await?;
        unreadable.extend(closed.iter().map(|path| path_of(path)));
        for entry in entries {
            if entry.is_folder { level.push(entry.path) } else { files.push(entry.path) }
        }
    }
    files.sort_unstable();
    Ok((files, unreadable))
}

async fn read_level(top: &Path, folders: Vec<Vec<u8>>) -> Result<(Vec<Entry>, Vec<Vec<u8>>), WorkspaceError> {
    let top = top.to_owned();
    let read = tokio::task::spawn_blocking(move || read_folders(&top, &folders)).await;
    read.map_err(|error| WorkspaceError::new(WorkspaceError::FILES_FAILED, error.to_string()))
}

fn read_folders(work: &Path, folders: &[Vec<u8>]) -> (Vec<Entry>, Vec<Vec<u8>>) {
    let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
    for folder in folders {
        let Ok(read) = fs::read_dir(work.join(path_of(folder))) else {
            unreadable.push(folder.clone());
            continue;
        };
        for entry in read.flatten() {
            let name = entry.file_name();
            // Git refuses these names in every form of letters, as they would become a repository elsewhere.
            if name.eq_ignore_ascii_case(".git") {
                continue;
            }
            let mut path = folder.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(name.into_vec());
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() || kind.is_file() || kind.is_symlink() {
                entries.push(Entry { path, is_folder: kind.is_dir() });
            }
        }
    }
    (entries, unreadable)
}
