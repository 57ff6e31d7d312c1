//! Gives the folders of a session to the agent's user, and takes them again.
//!
//! Only a runner that is root changes owners; otherwise the agent runs as the runner's own user.

use std::{
    collections::HashMap,
    fs::{self, Metadata, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown},
    path::{Path, PathBuf},
};

use super::{
    environment::temporary_folder,
    error::SandboxError,
    method::{Isolation, IsolationMethod},
    spec::SandboxSpec,
    user::AgentUser,
};

/// Lets the agent of a session use its work tree, its HOME and the runner's sockets. Changes no owner unless the agent
/// runs as another user than the runner.
///
/// Fails with `WORK_TREE_SHARED` if a file is also linked from elsewhere.
pub fn grant_session_folders(method: &IsolationMethod, spec: &SandboxSpec) -> Result<(), SandboxError> {
    if spec.isolation != Isolation::Sandbox {
        let folder = temporary_folder(spec);
        let made = fs::create_dir_all(&folder);
        made.map_err(SandboxError::of_start(format!("making {}", folder.display())))?;
    }
    let Some(user) = method.agent_user() else { return Ok(()) };
    grant_work_tree(&spec.work_tree, user)?;
    grant_work_tree(&spec.home, user)?;
    for socket in [Some(&spec.gateway_socket), spec.egress.as_ref().map(|egress| &egress.socket)].into_iter().flatten()
    {
        let granted = lchown(socket, Some(user.uid), Some(user.gid));
        granted.map_err(SandboxError::of_start(format!("granting {}", socket.display())))?;
    }
    Ok(())
}

/// Makes a user the owner of a folder and all that is in it.
///
/// A hard link to a file outside (as `git clone --local` makes them) is refused, with nothing changed: the agent would
/// own, and could change, the file of somebody else.
pub fn grant_work_tree(folder: &Path, user: AgentUser) -> Result<(), SandboxError> {
    let entries = read_entries(folder).map_err(SandboxError::of_start(format!("reading {}", folder.display())))?;
    refuse_shared_files(&entries)?;
    change_owner(&entries, user)
}

/// Makes the runner the owner again. Call it after the last process of the agent has ended.
///
/// The bits that run a program as its owner are removed: the files come from an agent.
pub fn reclaim_work_tree(folder: &Path) -> Result<(), SandboxError> {
    let action = || format!("reclaiming {}", folder.display());
    let entries = read_entries(folder).map_err(SandboxError::of_start(action()))?;
    let own = AgentUser { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() };
    change_owner(&entries, own)?;
    for (path, metadata) in entries.iter().filter(|(_, one)| one.is_file() && one.mode() & 0o6000 != 0) {
        let mode = metadata.mode() & 0o1777;
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(SandboxError::of_start(action()))?;
    }
    Ok(())
}

fn change_owner(entries: &[(PathBuf, Metadata)], user: AgentUser) -> Result<(), SandboxError> {
    for (path, metadata) in entries {
        if (metadata.uid(), metadata.gid()) != (user.uid, user.gid) {
            let changed = lchown(path, Some(user.uid), Some(user.gid));
            changed.map_err(SandboxError::of_start(format!("changing the owner of {}", path.display())))?;
        }
    }
    Ok(())
}

fn refuse_shared_files(entries: &[(PathBuf, Metadata)]) -> Result<(), SandboxError> {
    let linked = || entries.iter().filter(|(_, one)| !one.is_dir() && one.nlink() > 1);
    let mut found: HashMap<(u64, u64), u64> = HashMap::new();
    for (_, metadata) in linked() {
        *found.entry((metadata.dev(), metadata.ino())).or_default() += 1;
    }
    match linked().find(|(_, one)| found.get(&(one.dev(), one.ino())).copied().unwrap_or(0) < one.nlink()) {
        Some((path, _)) => Err(SandboxError::SharedFile { path: path.clone() }),
        None => Ok(()),
    }
}

/// The folder and everything in it; symbolic links are not followed.
fn read_entries(folder: &Path) -> io::Result<Vec<(PathBuf, Metadata)>> {
    let mut entries = vec![(folder.to_path_buf(), fs::symlink_metadata(folder)?)];
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            entries.push((entry.path(), metadata));
        }
    }
    Ok(entries)
}
