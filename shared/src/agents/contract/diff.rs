//! Reads a patch of git as a list of changed files. Pure.

use super::output::{FileChange, FileStatus};

/// The files of a patch that `git diff --binary` wrote with the prefixes `a/` and `b/`.
pub(in crate::agents) fn read_changes(patch: &str) -> Vec<FileChange> {
    split_by_file(patch).into_iter().filter_map(read_change).collect()
}

/// The patch cut into one piece per file. A line of content starts with a sign, so the headers cannot be confused.
fn split_by_file(patch: &str) -> Vec<&str> {
    const HEADER: &str = "diff --git ";
    let mut starts: Vec<_> = patch.match_indices("\ndiff --git ").map(|(at, _)| at + 1).collect();
    if patch.starts_with(HEADER) {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([patch.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| &patch[start..end]).collect()
}

fn read_change(section: &str) -> Option<FileChange> {
    let (header, hunks) = section.find("\n@@ ").map_or((section, ""), |at| section.split_at(at));
    let mut named = ChangeHeader::default();
    for line in header.lines().skip(1).take_while(|line| !line.starts_with("GIT binary patch")) {
        named.read_line(line);
    }
    let count_lines = |sign: char| hunks.lines().map(|line| i32::from(line.starts_with(sign))).sum();
    Some(FileChange {
        path: named.path.or(named.new).or(named.old).or_else(|| path_of_header(header.lines().next()?))?,
        status: named.status.unwrap_or(FileStatus::Modified),
        additions: count_lines('+'),
        deletions: count_lines('-'),
        patch: section.to_owned(),
    })
}

/// What the lines before the first hunk say of a change.
#[derive(Default)]
struct ChangeHeader {
    status: Option<FileStatus>,
    /// The new path of a file that was renamed or copied.
    path: Option<String>,
    old: Option<String>,
    new: Option<String>,
}

impl ChangeHeader {
    fn read_line(&mut self, line: &str) {
        if line.starts_with("new file mode ") {
            self.status = Some(FileStatus::Added);
        } else if line.starts_with("deleted file mode ") {
            self.status = Some(FileStatus::Deleted);
        } else if let Some(path) = line.strip_prefix("rename to ").or_else(|| line.strip_prefix("copy to ")) {
            let is_renamed = line.starts_with("rename");
            self.status = Some(if is_renamed { FileStatus::Renamed } else { FileStatus::Added });
            self.path = Some(unquote_path(path)).filter(|path| !path.is_empty());
        } else if let Some(path) = line.strip_prefix("--- ") {
            self.old = strip_side(path, "a/");
        } else if let Some(path) = line.strip_prefix("+++ ") {
            self.new = strip_side(path, "b/");
        }
    }
}

/// `/dev/null` is no side. A path with a blank is followed by a tab.
fn strip_side(path: &str, prefix: &str) -> Option<String> {
    let path = unquote_path(path.strip_suffix('\t').unwrap_or(path));
    path.strip_prefix(prefix).map(str::to_owned)
}

/// The path of a change without sides (binary, mode only, an empty file): both names are the same, so the header is
/// `a/<path> b/<path>`, each quoted or not.
fn path_of_header(line: &str) -> Option<String> {
    let names = line.strip_prefix("diff --git ")?;
    if let Some(quoted) = names.strip_prefix('"') {
        let end = quoted.match_indices('"').find(|(at, _)| !is_escaped(quoted, *at))?.0;
        return strip_side(&names[..end + 2], "a/");
    }
    let half = names.len().checked_sub(1)? / 2;
    names.get(..half)?.strip_prefix("a/").map(str::to_owned)
}

/// Whether an odd number of backslashes stands before this place.
fn is_escaped(text: &str, at: usize) -> bool {
    text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// A name as git quotes it when it holds control characters, quotes or bytes beyond ASCII.
fn unquote_path(name: &str) -> String {
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
            Some(letter) => bytes.push(unescape_letter(letter)),
            None => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn unescape_letter(letter: u8) -> u8 {
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

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
