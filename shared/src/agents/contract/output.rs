//! The output of a run: changed files, their patch, and other files.

use std::collections::{HashMap, hash_map::Entry};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::text;

/// The output of a run, read from git.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunOutput {
    pub files: Vec<FileChange>,
    /// `git diff --binary` against the commit that the run started from; applies with `git apply`.
    pub patch: String,
    /// A short summary, for an agent that continues without the old transcript.
    pub summary: String,
    pub artifacts: Vec<OutputFile>,
}

/// A changed file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FileChange {
    /// The path of the file.
    pub path: String,
    /// The kind of change.
    pub status: FileStatus,
    /// The number of added lines.
    pub additions: i32,
    /// The number of deleted lines.
    pub deletions: i32,
    /// The unified diff of the file.
    pub patch: String,
}

/// The kind of change of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    Added,
    Modified,
    Deleted,
    Renamed,
}

/// A file that the run produced, stored as an artifact.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputFile {
    /// Relative, without `..`.
    pub path: String,
    pub mime_type: String,
    pub content: FileContent,
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum FileContent {
    /// Its bytes, which are to be stored.
    Bytes(Bytes),
    /// It is in the object store already, under its SHA-256.
    Stored { size: usize, sha256: String },
}

impl FileContent {
    /// The size in bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Stored { size, .. } => *size,
        }
    }
}

impl<T: Into<Bytes>> From<T> for FileContent {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// The longest stored file name, in bytes: it must fit into an index.
const LONGEST_NAME: usize = 2048;

impl RunOutput {
    /// Whether the run changed no file and made no other.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.patch.trim().is_empty() && self.artifacts.is_empty()
    }

    /// The output in a form that can be stored: one entry per file, no NUL characters, no overlong names, every
    /// character of a name visible, no files of git itself. The patch still contains every file.
    ///
    /// Git reports a file whose type changed (for example to a symbolic link) as deleted and added, and a submitted
    /// patch may contain a file more than once.
    #[must_use]
    pub fn into_storable(self) -> Self {
        let mut files: Vec<FileChange> = Vec::with_capacity(self.files.len());
        let mut places = HashMap::new();
        for mut file in self.files {
            for part in [&mut file.path, &mut file.patch] {
                *part = text::of_no_nul(std::mem::take(part));
            }
            file.path = shorten_name(text::to_visible_name(file.path));
            match places.entry(file.path.clone()) {
                Entry::Vacant(place) => {
                    place.insert(files.len());
                    files.push(file);
                }
                Entry::Occupied(place) => files[*place.get()].goes_on(&file),
            }
        }
        let artifacts = self.artifacts.into_iter().map(|made| OutputFile {
            path: text::to_visible_name(text::of_no_nul(made.path)),
            mime_type: text::of_no_nul(made.mime_type),
            ..made
        });
        let fits = |made: &OutputFile| {
            let is_short = (1..=1024).contains(&made.path.chars().count()) && made.path.len() <= LONGEST_NAME;
            is_short && !made.path.split('/').any(text::is_git_folder)
        };
        Self {
            files,
            patch: text::of_no_nul(self.patch),
            summary: text::of_no_nul(self.summary),
            artifacts: artifacts.filter(fits).collect(),
        }
    }
}

/// Keeps the end of a name, which is more specific than its beginning.
fn shorten_name(name: String) -> String {
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let from = name.ceil_char_boundary(name.len() - LONGEST_NAME + '…'.len_utf8());
    format!("…{}", &name[from..])
}

impl FileChange {
    /// Merges a later change of the same file.
    fn goes_on(&mut self, later: &Self) {
        self.status = match (self.status, later.status) {
            (_, FileStatus::Deleted) => FileStatus::Deleted,
            (FileStatus::Added | FileStatus::Renamed, _) => self.status,
            (_, FileStatus::Renamed) => FileStatus::Renamed,
            (FileStatus::Deleted | FileStatus::Modified, _) => FileStatus::Modified,
        };
        self.additions = self.additions.saturating_add(later.additions);
        self.deletions = self.deletions.saturating_add(later.deletions);
        self.patch.push_str(&later.patch);
    }
}
