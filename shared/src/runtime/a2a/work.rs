//! What a task made, as the work of a session. A part that is a patch is the change; every other is kept as a file. Pure.

use ::a2a::{Artifact, Part, PartContent, Task};

use super::{
    super::{Made, Work, opencode::diff},
    look,
};

/// The media type of a patch.
pub(super) const DIFF: &str = "text/x-diff";
const DIFFS: [&str; 3] = [DIFF, "text/x-patch", "text/x-git-diff"];

/// How many files are kept.
const MOST_FILES: usize = 100;
/// The largest file that is kept, in bytes.
const LARGEST: usize = 10 * 1024 * 1024;
/// The longest path, in bytes.
const LONGEST_PATH: usize = 255;
/// How much of what was said last is the summary, in characters.
const SUMMARY: usize = 2000;

pub(super) fn of(task: &Task) -> Work {
    let mut work = Work::default();
    for artifact in task.artifacts.iter().flatten() {
        for (at, part) in artifact.parts.iter().enumerate() {
            match &part.content {
                PartContent::Text(text) if is_patch(part) => {
                    work.patch.push_str(text);
                    work.patch.push_str(if text.ends_with('\n') { "" } else { "\n" });
                }
                _ => keep(&mut work.artifacts, artifact, at, part),
            }
        }
    }
    work.files = diff::files(&work.patch);
    work.summary = look::words_of(task).unwrap_or_default().chars().take(SUMMARY).collect();
    work
}

fn is_patch(part: &Part) -> bool {
    let kind = part.media_type.as_deref().unwrap_or_default();
    DIFFS.contains(&kind.split(';').next().unwrap_or_default().trim())
}

fn keep(kept: &mut Vec<Made>, artifact: &Artifact, at: usize, part: &Part) {
    let (content, usual, ending) = match &part.content {
        PartContent::Text(text) => (text.clone().into_bytes(), "text/plain", "txt"),
        PartContent::Raw(bytes) => (bytes.clone(), "application/octet-stream", "bin"),
        PartContent::Data(data) => (data.to_string().into_bytes(), "application/json", "json"),
        // Nobody is sent to fetch it.
        PartContent::Url(url) => (url.clone().into_bytes(), "text/uri-list", "url"),
    };
    if kept.len() >= MOST_FILES || content.len() > LARGEST {
        return;
    }
    let named = [part.filename.as_deref(), artifact.name.as_deref()].into_iter().flatten().find(|path| is_safe(path));
    let path = named.map_or_else(|| format!("artifact-{}-{}.{ending}", kept.len() + 1, at + 1), str::to_owned);
    let path = free(kept, path);
    let said = part.media_type.as_deref().filter(|kind| is_media_type(kind) && ending != "url");
    kept.push(Made { path, mime_type: said.unwrap_or(usual).to_owned(), content });
}

/// A relative path that stays below where it is put, on any system.
fn is_safe(path: &str) -> bool {
    let plain = !path.chars().any(|c| c.is_control() || matches!(c, '\\' | ':'));
    let below = path.split('/').all(|part| !matches!(part, "" | "." | "..") && part.trim() == part);
    plain && below && path.len() <= LONGEST_PATH && path != "changes.patch"
}

fn is_media_type(kind: &str) -> bool {
    kind.len() <= 100 && kind.contains('/') && kind.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// The path, or the same with a number where it is taken.
fn free(kept: &[Made], path: String) -> String {
    let taken = |path: &str| kept.iter().any(|made| made.path == path);
    if !taken(&path) {
        return path;
    }
    let numbered = |n: usize| format!("{n}-{}", path.rsplit('/').next().unwrap_or_default());
    (2..=MOST_FILES + 1).map(numbered).find(|path| !taken(path)).unwrap_or(path)
}
