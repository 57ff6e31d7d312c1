//! Searches objects of git for the values of secrets. What is compressed in a patch or a bundle can be searched only
//! here.

use std::{fmt::Display, fs::File, io, os::fd::OwnedFd};

use tokio::task::spawn_blocking;

use super::{error::WorkspaceError, git_call::GitCall};
use crate::secret_mask::SecretMask;

/// Whether a value occurs in one of the objects, as git stores them. `call` is one in their repository, and `objects`
/// their names, one on each line.
pub(super) async fn has_secret(call: GitCall, objects: Vec<u8>, mask: &SecretMask) -> Result<bool, WorkspaceError> {
    if mask.is_empty() || objects.is_empty() {
        return Ok(false);
    }
    let failed = |error: &dyn Display| {
        WorkspaceError::new(WorkspaceError::GIT_FAILED, format!("the objects cannot be searched: {error}"))
    };
    // Unpacked they may be of any size, so they are searched while they are read.
    let (reader, writer) = io::pipe().map_err(|error| failed(&error))?;
    let call = call.args(["cat-file", "--batch", "--buffer"]).input(objects);
    let call = call.output_into(File::from(OwnedFd::from(writer)));
    let mask = mask.clone();
    let (read, searched) = tokio::join!(call.run(), spawn_blocking(move || mask.occurs_in(reader)));
    let has_secret = searched.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    // The search ends with the first value, and git with it.
    if has_secret { Ok(true) } else { read.map(|_| false) }
}
