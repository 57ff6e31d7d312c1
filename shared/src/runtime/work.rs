//! What came of a run: changed files, the patch of all of them, and what else was made.

use std::collections::{HashMap, hash_map::Entry};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text;

/// What the work came to, read from git.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    pub files: Vec<FileChange>,
    /// `git diff --binary` against the commit that the run started from; applies with `git apply`.
    pub patch: String,
    /// A few sentences for an agent that has to go on from here without the old transcript.
    pub summary: String,
    pub artifacts: Vec<Made>,
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FileChange {
    pub path: String,
    pub status: FileStatus,
    pub additions: i32,
    pub deletions: i32,
    /// The unified diff of this file.
    pub patch: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    Added,
    Modified,
    Deleted,
    Renamed,
}

/// A thing that was made and is to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Relative, without `..`.
    pub path: String,
    pub mime_type: String,
    pub content: Vec<u8>,
}

/// The longest name that is kept, in bytes: it has to fit into an index.
const LONGEST_NAME: usize = 2048;

impl Work {
    /// The same as it can be stored, whatever the agent left: one entry for each file, no NUL, and no name that is too long.
    /// The patch holds all files in any case.
    ///
    /// Git tells of a file whose type changed (a symbolic link in the place of a file) as removed and made, and patches that
    /// are sent may hold one file more than once.
    #[must_use]
    pub fn storable(self) -> Self {
        let mut files: Vec<FileChange> = Vec::with_capacity(self.files.len());
        let mut places = HashMap::new();
        for mut file in self.files {
            for part in [&mut file.path, &mut file.patch] {
                *part = text::of_no_nul(std::mem::take(part));
            }
            file.path = shortened(file.path);
            match places.entry(file.path.clone()) {
                Entry::Vacant(place) => {
                    place.insert(files.len());
                    files.push(file);
                }
                Entry::Occupied(place) => files[*place.get()].goes_on(&file),
            }
        }
        let artifacts = self.artifacts.into_iter().map(|made| Made {
            path: text::of_no_nul(made.path),
            mime_type: text::of_no_nul(made.mime_type),
            ..made
        });
        let fits = |made: &Made| (1..=1024).contains(&made.path.chars().count()) && made.path.len() <= LONGEST_NAME;
        Self {
            files,
            patch: text::of_no_nul(self.patch),
            summary: text::of_no_nul(self.summary),
            artifacts: artifacts.filter(fits).collect(),
        }
    }
}

/// The end of a name tells more than its beginning.
fn shortened(name: String) -> String {
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let from = name.ceil_char_boundary(name.len() - LONGEST_NAME + '…'.len_utf8());
    format!("…{}", &name[from..])
}

impl FileChange {
    /// Takes in a later change of the same file.
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
