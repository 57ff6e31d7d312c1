//! Writes the branch that keeps a session's work as a git bundle, which outlives the workspace.

use std::{
    fs::{self, File},
    io::{Read, Seek},
    path::Path,
};

use super::{
    error::{NamePath, WorkspaceError},
    git::Git,
    git_call::GitCall,
    secret_search::has_secret,
};
use crate::secret_mask::SecretMask;

/// The commits of a session as a git bundle, or why there is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WorkBundle {
    /// The bundle.
    Written(Vec<u8>),
    /// The source has all commits, or it is a folder without a repository: only changes of it leave this machine.
    Nothing,
    /// It is larger than it may be.
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// A commit, a file or a name in it holds the value of a secret, which could not be replaced.
    HasSecret,
}

/// The branch of our own repository that keeps the work.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptBranch<'a> {
    pub(super) git: &'a Git,
    pub(super) repository: &'a Path,
    pub(super) branch: &'a str,
    /// The commits that whoever gets the bundle has; none: the bundle is complete.
    pub(super) known: Option<&'a str>,
}

impl KeptBranch<'_> {
    /// Writes the bundle into a file.
    pub(super) async fn write(self, file: &Path) -> Result<(), WorkspaceError> {
        let output = File::create(file).name_path(file)?;
        let written = self.write_into(output.try_clone().name_path(file)?).await;
        if written.is_err() {
            fs::remove_file(file).name_path(file)?;
        } else {
            output.sync_all().name_path(file)?;
        }
        written
    }

    async fn write_into(self, output: File) -> Result<(), WorkspaceError> {
        let call = self.call().args(["bundle", "create", "--quiet", "-"]);
        self.range(call).output_into(output).run().await.map(drop)
    }

    /// The bundle, if it has at most so many bytes and holds no secret. `folder` is for the meantime.
    pub(super) async fn read_without_secrets(
        self,
        folder: &Path,
        most_bytes: u64,
        mask: &SecretMask,
    ) -> Result<WorkBundle, WorkspaceError> {
        // Without a name: an agent's user, who owns the folder of its session, can put no link in its place.
        let mut file = tempfile::tempfile_in(folder).name_path(folder)?;
        self.write_into(file.try_clone().name_path(folder)?).await?;
        let bytes = file.metadata().name_path(folder)?.len();
        if bytes > most_bytes {
            return Ok(WorkBundle::TooLarge { bytes });
        }
        let mut content = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut content)).name_path(folder)?;
        // Its head names references and the title of the base as they are; everything else is compressed.
        let has_secret = mask.occurs_in(content.as_slice()).unwrap_or(true) || self.has_secret(mask).await?;
        Ok(if has_secret { WorkBundle::HasSecret } else { WorkBundle::Written(content) })
    }

    /// Whether a value occurs in a commit, a list of names or a file that the bundle holds, as git stores them.
    async fn has_secret(self, mask: &SecretMask) -> Result<bool, WorkspaceError> {
        if mask.is_empty() {
            return Ok(false);
        }
        let list = self.call().args(["rev-list", "--objects", "--no-object-names"]);
        let objects = self.range(list).run().await?;
        has_secret(self.call(), objects, mask).await
    }

    fn call(self) -> GitCall {
        self.git.on_session(self.repository, None)
    }

    fn range(self, call: GitCall) -> GitCall {
        let call = call.arg(format!("refs/heads/{}", self.branch));
        match self.known {
            Some(known) => call.args(["--not", known]),
            None => call,
        }
    }
}
