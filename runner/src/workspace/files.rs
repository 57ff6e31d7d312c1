//! Files and folders of sessions, which may belong to another user, and which an agent may have made hard to remove.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, PermissionsExt, chown, lchown},
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

use super::{
    error::{NamePath, WorkspaceError},
    settings::Owner,
};

/// Does something to files of a session as their owner may. An agent that runs as the owner can put a link at any path
/// of the session: it leads a runner that is root to nothing that the agent could not reach itself.
pub(super) fn as_owner<T>(owner: Option<Owner>, work: impl FnOnce() -> T) -> T {
    let _identity = owner.map(FileIdentity::assume);
    work()
}

/// The identity for access to files, which is one of this thread alone. It ends with this value.
struct FileIdentity {
    former_uid: Uid,
    former_gid: Gid,
}

impl FileIdentity {
    fn assume(owner: Owner) -> Self {
        let former_gid = setfsgid(Gid::from_raw(owner.gid));
        Self { former_uid: setfsuid(Uid::from_raw(owner.uid)), former_gid }
    }
}

impl Drop for FileIdentity {
    fn drop(&mut self) {
        setfsuid(self.former_uid);
        setfsgid(self.former_gid);
    }
}

/// Creates the folder of a session in a folder of the runner. Only its owner may enter it.
pub(super) fn create_session_folder(path: &Path, owner: Option<Owner>) -> Result<(), WorkspaceError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).name_path(path)?;
    owner.map_or(Ok(()), |owner| lchown(path, Some(owner.uid), Some(owner.gid)).name_path(path))
}

/// Creates a folder within that of a session, with its parents, which only the owner may enter.
pub(super) fn create_private_folder(path: &Path, owner: Option<Owner>) -> Result<(), WorkspaceError> {
    as_owner(owner, || fs::DirBuilder::new().recursive(true).mode(0o700).create(path)).name_path(path)
}

/// Creates a folder below another with what is missing of its parents. It must not be there yet, or be empty, and no
/// link may lead to it.
pub(super) fn create_empty_folder(top: &Path, relative: &Path, owner: Option<Owner>) -> Result<(), WorkspaceError> {
    let refusal = |why: &str| {
        let message = format!("the folder {} of the work tree {why}", relative.display());
        WorkspaceError::new(WorkspaceError::SOURCE_INVALID, message)
    };
    let mut path = top.to_owned();
    for part in relative.components() {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(refusal("is a file or a link")),
            Err(error) if error.kind() == ErrorKind::NotFound => create_private_folder(&path, owner)?,
            Err(error) => return Err(WorkspaceError::of_files(&path, &error)),
        }
    }
    let is_empty = fs::read_dir(&path).name_path(&path)?.next().is_none();
    if is_empty { Ok(()) } else { Err(refusal("is not empty, so no repository can be cloned into it")) }
}

/// Creates a folder with its parents if it is missing, and sets its mode.
pub(super) fn create_shared_folder(path: &Path, mode: u32) -> Result<(), WorkspaceError> {
    fs::create_dir_all(path).name_path(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).name_path(path)
}

/// Writes a file of a session.
pub(super) fn write_owned(path: &Path, bytes: &[u8], owner: Option<Owner>) -> Result<(), WorkspaceError> {
    as_owner(owner, || fs::write(path, bytes)).name_path(path)
}

/// Copies a file of a session.
pub(super) fn copy_owned(from: &Path, to: &Path, owner: Option<Owner>) -> Result<(), WorkspaceError> {
    as_owner(owner, || fs::copy(from, to)).name_path(from).map(drop)
}

/// Copies an index with its time of modification. Git compares that time with those of files: what was written in the
/// same second is compared by content. Under a later time, an edit right after the checkout would go unnoticed.
pub(super) fn copy_index(from: &Path, to: &Path, owner: Option<Owner>) -> Result<(), WorkspaceError> {
    as_owner(owner, || {
        let modified = fs::metadata(from).and_then(|file| file.modified()).name_path(from)?;
        fs::copy(from, to).name_path(from)?;
        fs::File::options().append(true).open(to).and_then(|file| file.set_modified(modified)).name_path(to)
    })
}

/// Lets the group of the agents' user read a folder of the runner.
pub(super) fn grant_to_group(path: &Path, owner: Option<Owner>) -> Result<(), WorkspaceError> {
    owner.map_or(Ok(()), |owner| chown(path, None, Some(owner.gid)).name_path(path))
}

/// Removes a folder with everything in it, also where an agent took permissions of folders away or nested more of them
/// than a process may open. Links are not followed. A folder that is not there is removed already.
pub(super) fn remove_folder(path: &Path) -> Result<(), WorkspaceError> {
    let Err(error) = fs::remove_dir_all(path) else { return Ok(()) };
    if error.kind() == ErrorKind::NotFound && !exists(path) {
        return Ok(());
    }
    for (program, options) in [("chmod", ["-R", "-f", "u+rwx", "--"].as_slice()), ("rm", &["-rf", "--"])] {
        let _ = Command::new(program).args(options).arg(path).stdin(Stdio::null()).stderr(Stdio::null()).status();
    }
    if exists(path) { Err(WorkspaceError::of_files(path, &error)) } else { Ok(()) }
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether a path below a folder is a folder that no link leads to.
pub(super) fn is_real_folder(top: &Path, relative: &Path) -> bool {
    let mut path = top.to_owned();
    let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|one| one.is_dir());
    is_folder(&path)
        && relative.components().all(|part| {
            path.push(part);
            is_folder(&path)
        })
}

/// Locks and temporary files of a killed git, which nobody else will remove. Complete objects have other names.
pub(super) fn remove_half_written(repository: &Path) -> Result<(), WorkspaceError> {
    let mut folders = vec![repository.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).name_path(&folder)? {
            let entry = entry.name_path(&folder)?;
            let path = entry.path();
            let is_temporary = entry.file_name().to_string_lossy().starts_with("tmp_");
            let is_lock = path.extension().is_some_and(|one| one == "lock");
            if entry.file_type().name_path(&path)?.is_dir() {
                if is_temporary { remove_folder(&path)? } else { folders.push(path) }
            } else if is_lock || is_temporary {
                // A git that is just ending may remove it itself.
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(WorkspaceError::of_files(&path, &error));
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(())
}
