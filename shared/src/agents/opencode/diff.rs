//! Git's patch as a list of changed files: a pure reading of its text.

use crate::agents::contract::{FileChange, FileStatus};

/// The files of a patch that `git diff --binary` wrote with the prefixes `a/` and `b/`.
pub(in crate::agents) fn files(patch: &str) -> Vec<FileChange> {
    sections(patch).into_iter().filter_map(file).collect()
}

/// The patch cut into one piece per file. A line of content starts with a sign, so the headers cannot be confused.
pub(super) fn sections(patch: &str) -> Vec<&str> {
    const HEADER: &str = "diff --git ";
    let mut starts: Vec<_> = patch.match_indices("\ndiff --git ").map(|(at, _)| at + 1).collect();
    if patch.starts_with(HEADER) {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([patch.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| &patch[start..end]).collect()
}

fn file(section: &str) -> Option<FileChange> {
    let mut change = FileChange {
        path: String::new(),
        status: FileStatus::Modified,
        additions: 0,
        deletions: 0,
        patch: section.to_owned(),
    };
    let mut old = None;
    let mut new = None;
    let mut in_hunk = false;
    for line in section.lines().skip(1) {
        if in_hunk || line.starts_with("@@ ") {
            in_hunk = true;
            change.additions += i32::from(line.starts_with('+'));
            change.deletions += i32::from(line.starts_with('-'));
            continue;
        }
        match line {
            _ if line.starts_with("new file mode ") => change.status = FileStatus::Added,
            _ if line.starts_with("deleted file mode ") => change.status = FileStatus::Deleted,
            _ if line.starts_with("GIT binary patch") => break,
            _ => {
                if let Some(path) = line.strip_prefix("rename to ").or_else(|| line.strip_prefix("copy to ")) {
                    let renamed = line.starts_with("rename");
                    change.status = if renamed { FileStatus::Renamed } else { FileStatus::Added };
                    change.path = unquote(path);
                } else if let Some(path) = line.strip_prefix("--- ") {
                    old = side(path, "a/");
                } else if let Some(path) = line.strip_prefix("+++ ") {
                    new = side(path, "b/");
                }
            }
        }
    }
    if change.path.is_empty() {
        change.path = new.or(old).or_else(|| from_header(section.lines().next()?))?;
    }
    Some(change)
}

/// `/dev/null` is no side. A path with a blank is followed by a tab.
fn side(path: &str, prefix: &str) -> Option<String> {
    let path = unquote(path.strip_suffix('\t').unwrap_or(path));
    path.strip_prefix(prefix).map(str::to_owned)
}

/// The path of a change without sides (binary, mode only, an empty file): both names are the same, so the header is
/// `a/<path> b/<path>`, each quoted or not.
fn from_header(line: &str) -> Option<String> {
    let names = line.strip_prefix("diff --git ")?;
    if let Some(quoted) = names.strip_prefix('"') {
        let end = quoted.match_indices('"').find(|(at, _)| !escaped(quoted, *at))?.0;
        return side(&names[..end + 2], "a/");
    }
    let half = names.len().checked_sub(1)? / 2;
    names.get(..half)?.strip_prefix("a/").map(str::to_owned)
}

/// Whether an odd number of backslashes stands before this place.
fn escaped(text: &str, at: usize) -> bool {
    text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// A name as git quotes it when it holds control characters, quotes or bytes beyond ASCII.
fn unquote(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) else { return name.to_owned() };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.bytes().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(digit @ b'0'..=b'3') => {
                let mut value = digit - b'0';
                for _ in 0..2 {
                    value = value * 8 + rest.next().map_or(0, |digit| digit.wrapping_sub(b'0') & 7);
                }
                bytes.push(value);
            }
            Some(letter) => bytes.push(plain(letter)),
            None => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn plain(letter: u8) -> u8 {
    match letter {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        other => other,
    }
}

/// The files of `git diff --name-status -z`, for what did not fit into the patch.
pub(super) fn names(listed: &str) -> Vec<FileChange> {
    let mut fields = listed.split('\0');
    let mut found = Vec::new();
    while let (Some(status), Some(path)) = (fields.next(), fields.next()) {
        let status = match status {
            "A" => FileStatus::Added,
            "D" => FileStatus::Deleted,
            _ => FileStatus::Modified,
        };
        found.push(FileChange { path: path.to_owned(), status, additions: 0, deletions: 0, patch: String::new() });
    }
    found
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
