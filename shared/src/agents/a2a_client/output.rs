//! Reads the output of a task: parts with a patch media type form the patch, and every other part becomes a file. Pure.

use ::a2a::{Artifact, Part, PartContent, Task};

use super::task_text::{is_blank, last_agent_text};
use crate::{
    agents::contract::{OutputFile, RunOutput, diff},
    kernel::text::{is_git_folder, is_misleading},
};

/// The media type of a patch.
pub(super) const DIFF: &str = "text/x-diff";
const DIFFS: [&str; 3] = [DIFF, "text/x-patch", "text/x-git-diff"];

/// The most files that one run may produce.
const MAX_FILES: usize = 100;
/// The longest file path, in bytes.
const MAX_PATH_BYTES: usize = 255;
/// The longest summary, in characters.
const MAX_SUMMARY_CHARS: usize = 2000;

pub(super) fn read_output(task: &Task) -> RunOutput {
    let mut work = RunOutput::default();
    for artifact in task.artifacts.iter().flatten() {
        for (at, part) in artifact.parts.iter().enumerate() {
            match &part.content {
                PartContent::Text(text) if is_patch(part) => {
                    work.patch.push_str(text);
                    work.patch.push_str(if text.ends_with('\n') { "" } else { "\n" });
                }
                // Words that are left out; an empty file has a name.
                PartContent::Text(text) if is_blank(text) && part.filename.is_none() => {}
                _ => add_file(&mut work.artifacts, artifact, at, part),
            }
        }
    }
    work.files = diff::read_changes(&work.patch);
    work.summary = last_agent_text(task).unwrap_or_default().chars().take(MAX_SUMMARY_CHARS).collect();
    work
}

fn is_patch(part: &Part) -> bool {
    let kind = part.media_type.as_deref().unwrap_or_default();
    DIFFS.contains(&kind.split(';').next().unwrap_or_default().trim())
}

fn add_file(files: &mut Vec<OutputFile>, artifact: &Artifact, at: usize, part: &Part) {
    let (content, usual, ending) = match &part.content {
        PartContent::Text(text) => (text.clone().into_bytes(), "text/plain", "txt"),
        PartContent::Raw(bytes) => (bytes.clone(), "application/octet-stream", "bin"),
        PartContent::Data(data) => (data.to_string().into_bytes(), "application/json", "json"),
        // The URL itself is stored. It is never fetched.
        PartContent::Url(url) => (url.clone().into_bytes(), "text/uri-list", "url"),
    };
    // A file that is too large to be stored is left out later, with an event that says so.
    if files.len() >= MAX_FILES {
        return;
    }
    let named = [part.filename.as_deref(), artifact.name.as_deref()].into_iter().flatten().find(|path| is_safe(path));
    let path = named.map_or_else(|| format!("artifact-{}-{}.{ending}", files.len() + 1, at + 1), str::to_owned);
    let path = free_path(files, path);
    let said = part.media_type.as_deref().filter(|kind| is_media_type(kind) && ending != "url");
    files.push(OutputFile { path, mime_type: said.unwrap_or(usual).to_owned(), content: content.into() });
}

/// Whether a path is relative, stays below its root on every platform, does not lead into a folder of git, and shows
/// every character.
fn is_safe(path: &str) -> bool {
    let plain = !path.chars().any(|c| is_misleading(c) || matches!(c, '\\' | ':'));
    let is_plain_part = |part: &str| !matches!(part, "" | "." | "..") && part.trim() == part && !is_git_folder(part);
    let below = path.split('/').all(is_plain_part);
    plain && below && path.len() <= MAX_PATH_BYTES && path != "changes.patch"
}

fn is_media_type(kind: &str) -> bool {
    kind.len() <= 100 && kind.contains('/') && kind.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// The path, with a number in front when another file already has it.
fn free_path(files: &[OutputFile], path: String) -> String {
    let taken = |path: &str| files.iter().any(|made| made.path == path);
    if !taken(&path) {
        return path;
    }
    let numbered = |n: usize| format!("{n}-{}", path.rsplit('/').next().unwrap_or_default());
    (2..=MAX_FILES + 1).map(numbered).find(|path| !taken(path)).unwrap_or(path)
}
