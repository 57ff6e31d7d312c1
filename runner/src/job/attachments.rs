//! The files that an agent attaches to its result: copied out of the workspace when it says so, and delivered at the
//! end.
//!
//! An agent is untrusted, and so is every path within its workspace: no symbolic link is followed, and nothing but a
//! regular file is read.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open, openat},
    sys::stat::Mode,
};
use tokio::task::spawn_blocking;

use crate::{mcp::AttachedFile, workspace::Workspace};

/// The largest file, which the control plane takes at once, and all files together, in bytes.
const FILE_BYTES: u64 = 10 * 1024 * 1024;
const TOTAL_BYTES: u64 = 40 * 1024 * 1024;
/// How many files can be attached.
const FILES: usize = 100;
/// The longest path, in bytes.
const PATH_BYTES: usize = 1024;
/// Under these names the changes of the session and its commits are delivered.
pub(super) const PATCH: &str = "changes.patch";
pub(super) const BUNDLE: &str = "work.bundle";

/// A copy of a file, for the result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attachment {
    /// Relative to the work tree.
    pub(super) path: String,
    pub(super) title: String,
    pub(super) proof: bool,
    pub(super) mime_type: &'static str,
    /// The copy, in the folder of the run.
    pub(super) copy: PathBuf,
    bytes: u64,
}

/// The files of one run.
#[derive(Debug)]
pub(super) struct Attachments {
    /// The folder of the copies.
    folder: PathBuf,
    work_tree: PathBuf,
    /// The work tree as the agent sees it.
    inner_work_tree: PathBuf,
    /// Where the agent begins, relative to the work tree.
    start: PathBuf,
    copied: u64,
    files: Vec<Attachment>,
}

impl Attachments {
    /// No files, of an agent that sees its work tree there.
    pub(super) fn new(folder: PathBuf, workspace: &Workspace, inner_work_tree: PathBuf) -> Self {
        let work_tree = workspace.work_tree();
        let start = workspace.start_folder().strip_prefix(&work_tree).unwrap_or(Path::new("")).to_path_buf();
        Self { folder, work_tree, inner_work_tree, start, copied: 0, files: Vec::new() }
    }

    /// Copies a file, and returns a sentence for the model. The same path attached again replaces the earlier copy.
    pub(super) async fn add(&mut self, file: &AttachedFile) -> Result<String, String> {
        let path = self.find_path(&file.path)?;
        let others = self.files.iter().filter(|known| known.path != path);
        let (count, used) = others.fold((0, 0), |(count, used), known| (count + 1, used + known.bytes));
        if count >= FILES {
            return Err(format!("at most {FILES} files can be attached"));
        }
        self.copied += 1;
        let (work_tree, relative) = (self.work_tree.clone(), path.clone());
        let copy = self.folder.join(self.copied.to_string());
        let (destination, most) = (copy.clone(), FILE_BYTES.min(TOTAL_BYTES - used));
        let copied = spawn_blocking(move || copy_file(&work_tree, &relative, &destination, most)).await;
        let bytes = copied.map_err(|_| "the file could not be copied".to_owned())??;
        self.files.retain(|known| known.path != path);
        let said = format!("{path} is attached, with {bytes} bytes.");
        let mime_type = find_media_type(&path);
        self.files.push(Attachment { path, title: file.title.clone(), proof: file.proof, mime_type, copy, bytes });
        Ok(said)
    }

    /// The files so far, in the order in which they were attached.
    pub(super) fn into_files(self) -> Vec<Attachment> {
        self.files
    }

    /// The path relative to the work tree. `..` is resolved by the names alone, because no link is followed.
    fn find_path(&self, path: &str) -> Result<String, String> {
        let given = Path::new(path);
        let outside = || format!("{path} lies outside of the workspace {}", self.inner_work_tree.display());
        let from_root = if given.is_absolute() {
            given.strip_prefix(&self.inner_work_tree).map_err(|_| outside())?.to_path_buf()
        } else {
            self.start.join(given)
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in from_root.components() {
            match part {
                Component::Normal(name) => parts.push(name.to_str().ok_or_else(outside)?),
                Component::ParentDir => drop(parts.pop().ok_or_else(outside)?),
                _ => {}
            }
        }
        let is_git = parts.iter().any(|part| part.trim_end_matches(['.', ' ']).eq_ignore_ascii_case(".git"));
        let found = parts.join("/");
        let is_strange = found.chars().any(|letter| letter.is_control() || matches!(letter, '\\' | ':'));
        if found.is_empty() || is_git || is_strange || found.len() > PATH_BYTES {
            return Err(format!(
                "{path} cannot be attached: name a file outside of .git, with at most {PATH_BYTES} bytes and without \
                 colons, backslashes and control characters"
            ));
        }
        if found == PATCH || found == BUNDLE {
            return Err(format!("{found} is the name of the session's own changes: give the file another name"));
        }
        Ok(found)
    }
}

/// Copies at most so many bytes, and returns how many there were.
fn copy_file(work_tree: &Path, relative: &str, destination: &Path, most: u64) -> Result<u64, String> {
    let file = open_below(work_tree, relative).map_err(|error| describe(relative, error))?;
    let failed = |error: io::Error| format!("{relative} cannot be copied: {error}");
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(format!("{relative} is not a file"));
    }
    if let Some(folder) = destination.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut copy = File::create(destination).map_err(failed)?;
    let bytes = io::copy(&mut file.take(most + 1), &mut copy).map_err(failed)?;
    if bytes > most {
        // What cannot be removed now goes with the folder of the run.
        let _ = fs::remove_file(destination);
        return Err(format!("{relative} is too large: a file may have {most} bytes here"));
    }
    Ok(bytes)
}

/// Opens each part of the path in the folder before it, so that no folder can be exchanged for a link meanwhile. A pipe
/// is opened without waiting for its other end.
fn open_below(work_tree: &Path, relative: &str) -> Result<File, Errno> {
    let is_folder = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut folder: OwnedFd = open(work_tree, is_folder, Mode::empty())?;
    let (folders, name) = relative.rsplit_once('/').unwrap_or(("", relative));
    for part in folders.split('/').filter(|part| !part.is_empty()) {
        folder = openat(&folder, part, is_folder | OFlag::O_NOFOLLOW, Mode::empty())?;
    }
    let is_file = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    Ok(File::from(openat(&folder, name, is_file, Mode::empty())?))
}

fn describe(path: &str, error: Errno) -> String {
    match error {
        Errno::ENOENT => format!("there is no file {path}"),
        Errno::ELOOP | Errno::ENOTDIR => format!("{path} leads over a symbolic link or a file: name the file itself"),
        other => format!("{path} cannot be read: {other}"),
    }
}

fn find_media_type(path: &str) -> &'static str {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "md" => "text/markdown",
        "txt" | "log" => "text/plain",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::unistd::mkfifo;

    use super::*;

    fn attachments(root: &Path) -> Attachments {
        fs::create_dir_all(root.join("work/src")).unwrap();
        Attachments {
            folder: root.join("copies"),
            work_tree: root.join("work"),
            inner_work_tree: "/work".into(),
            start: "src".into(),
            copied: 0,
            files: Vec::new(),
        }
    }

    fn file(path: &str) -> AttachedFile {
        AttachedFile { path: path.into(), title: "A file".into(), proof: false }
    }

    #[test]
    fn a_path_is_found_from_the_folder_of_the_agent() {
        let root = tempfile::tempdir().unwrap();
        let attachments = attachments(root.path());
        for (path, expected) in [
            ("a.png", "src/a.png"),
            ("../b", "b"),
            ("/work/c", "c"),
            ("./x/../d", "src/d"),
            ("/work/./src//e", "src/e"),
        ] {
            assert_eq!(attachments.find_path(path).as_deref(), Ok(expected), "{path}");
        }
        for path in
            ["../../etc/passwd", "/etc/passwd", "/workshop/a", "/work/..", "..", "../.git/config", "a:b", "a\\b"]
        {
            attachments.find_path(path).unwrap_err();
        }
        for path in ["../changes.patch", "/work/work.bundle"] {
            assert!(attachments.find_path(path).unwrap_err().contains("another name"), "{path}");
        }
    }

    #[tokio::test]
    async fn a_file_is_copied_when_it_is_attached_and_replaces_an_earlier_copy() {
        let root = tempfile::tempdir().unwrap();
        let mut attachments = attachments(root.path());
        fs::write(root.path().join("work/src/a.png"), "one").unwrap();
        assert_eq!(attachments.add(&file("a.png")).await.unwrap(), "src/a.png is attached, with 3 bytes.");
        fs::write(root.path().join("work/src/a.png"), "three").unwrap();
        attachments.add(&AttachedFile { proof: true, ..file("/work/src/a.png") }).await.unwrap();
        fs::remove_file(root.path().join("work/src/a.png")).unwrap();
        let files = attachments.into_files();
        assert_eq!(files.len(), 1);
        assert_eq!((files[0].mime_type, files[0].proof, files[0].bytes), ("image/png", true, 5));
        assert_eq!(fs::read_to_string(&files[0].copy).unwrap(), "three");
    }

    #[tokio::test]
    async fn a_link_or_a_pipe_or_a_folder_is_never_read() {
        let root = tempfile::tempdir().unwrap();
        let mut attachments = attachments(root.path());
        let work = root.path().join("work");
        fs::write(root.path().join("secret"), "secret").unwrap();
        symlink(root.path().join("secret"), work.join("link")).unwrap();
        symlink(root.path(), work.join("folder")).unwrap();
        mkfifo(&work.join("pipe"), Mode::S_IRWXU).unwrap();
        for (path, expected) in [
            ("/work/link", "symbolic link"),
            ("/work/folder/secret", "symbolic link"),
            ("/work/pipe", "is not a file"),
            ("/work/src", "is not a file"),
            ("/work/none", "there is no file none"),
        ] {
            let error = attachments.add(&file(path)).await.unwrap_err();
            assert!(error.contains(expected), "{path}: {error}");
        }
        assert_eq!(attachments.into_files(), []);
    }

    #[tokio::test]
    async fn files_are_bounded_each_and_together() {
        let root = tempfile::tempdir().unwrap();
        let mut attachments = attachments(root.path());
        for (name, bytes) in [("a", FILE_BYTES), ("b", FILE_BYTES), ("c", FILE_BYTES), ("d", FILE_BYTES), ("e", 1)] {
            File::create(root.path().join("work/src").join(name)).unwrap().set_len(bytes).unwrap();
        }
        File::create(root.path().join("work/src/large")).unwrap().set_len(FILE_BYTES + 1).unwrap();
        let error = attachments.add(&file("large")).await.unwrap_err();
        assert!(error.contains("may have 10485760 bytes here"), "{error}");
        for name in ["a", "b", "c", "d"] {
            attachments.add(&file(name)).await.unwrap();
        }
        attachments.add(&file("e")).await.unwrap_err();
        assert_eq!(attachments.into_files().len(), 4);
    }
}
