//! Copies the files of a folder that is in no repository into one of the session's own, byte by byte.

use std::path::Path;

use super::{
    check_out::VERBATIM_ATTRIBUTES,
    error::{NamePath, WorkspaceError},
    files::write_owned,
    git::Git,
    settings::CommitIdentity,
    untracked::list_files,
};

/// Creates a bare repository with one commit, which has the files of the folder as they are, ignored ones included.
/// Repositories within the folder are files like others, without their history. Returns the commit; none: the folder
/// has no files.
pub(super) async fn copy_folder(
    git: &Git,
    folder: &Path,
    repository: &Path,
    identity: &CommitIdentity,
) -> Result<Option<String>, WorkspaceError> {
    git.init_on_mirror().args(["--bare", "--shared=0644", "--"]).arg(repository).run().await?;
    std::fs::create_dir_all(repository.join("info")).name_path(repository)?;
    write_owned(&repository.join("info/attributes"), VERBATIM_ATTRIBUTES, None)?;
    let (files, unreadable) = list_files(folder).await?;
    if let Some(path) = unreadable.first() {
        let message = format!("{} cannot be read", folder.join(path).display());
        return Err(WorkspaceError::new(WorkspaceError::FILES_FAILED, message));
    }
    if files.is_empty() {
        return Ok(None);
    }
    let mut input = files.join(&0);
    input.push(0);
    let call = || git.on_mirror_with_files(repository, folder);
    call().args(["update-index", "-z", "--add", "--stdin"]).input(input).run().await?;
    let tree = call().arg("write-tree").line().await?;
    let commit = call().args(["commit-tree", &tree, "-m", "ioc: The folder as it was found"]);
    let commit = identity.apply_to(commit).line().await?;
    call().args(["update-ref", "refs/heads/main", &commit]).run().await?;
    Ok(Some(commit))
}
