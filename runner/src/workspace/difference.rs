//! The patch between two trees. It is UTF-8 throughout: files in other encodings are in it as binary ones.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use super::{
    error::WorkspaceError,
    files::{as_owner, write_owned},
    git::Git,
    secret_search::has_secret,
    tree_change::TreeChange,
};
use crate::secret_mask::SecretMask;

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference<'a> {
    pub(super) git: &'a Git,
    pub(super) repository: &'a Path,
    pub(super) base_tree: &'a str,
    pub(super) tree: &'a str,
    /// The folder below the session's work tree, for the names in the patch.
    pub(super) folder: &'a Path,
    /// What no binary file of the patch may hold: such a file is compressed there, where nothing can be replaced.
    pub(super) mask: &'a SecretMask,
}

/// A patch and what could not be put into it.
#[derive(Debug, Default)]
pub(super) struct WrittenPatch {
    pub(super) text: Vec<u8>,
    /// Paths of links whose targets are no UTF-8. Git has no binary form for them.
    pub(super) unwritten: BTreeSet<Vec<u8>>,
    /// Paths of binary files that hold the value of a secret, now or in the base.
    pub(super) withheld: BTreeSet<Vec<u8>>,
}

impl Difference<'_> {
    /// The patch, in which every change of `changes` is whole or missing.
    pub(super) async fn write(self, changes: &[TreeChange]) -> Result<WrittenPatch, WorkspaceError> {
        if changes.is_empty() {
            return Ok(WrittenPatch::default());
        }
        let patch = self.compare().await?;
        let withheld = self.find_withheld(&patch, changes).await?;
        let (mut text, other) = split_by_encoding(&patch, changes, |path| !withheld.contains(path))?;
        let mut unwritten = BTreeSet::new();
        if !other.is_empty() {
            let binary = self.compare_as_binary().await?;
            let (more, rest) = split_by_encoding(&binary, changes, |path| other.contains(path))?;
            text.extend(more);
            unwritten = rest;
        }
        Ok(WrittenPatch { text, unwritten, withheld })
    }

    /// The changes of files that are binary, or will be because they are no UTF-8, in which a value of the mask occurs.
    async fn find_withheld(self, patch: &[u8], changes: &[TreeChange]) -> Result<BTreeSet<Vec<u8>>, WorkspaceError> {
        if self.mask.is_empty() {
            return Ok(BTreeSet::new());
        }
        let sections = assign_sections(patch, changes)?.into_iter();
        let binary: Vec<_> =
            sections.filter(|(_, part)| !is_text(part) || is_binary(part)).map(|(one, _)| one).collect();
        let mut withheld = BTreeSet::new();
        // Usually none does, which one search shows.
        if self.has_secret(&binary).await? {
            for change in binary {
                if self.has_secret(&[change]).await? {
                    withheld.insert(change.path.clone());
                }
            }
        }
        Ok(withheld)
    }

    async fn has_secret(self, changes: &[&TreeChange]) -> Result<bool, WorkspaceError> {
        let sides = changes.iter().flat_map(|one| [(&one.old_mode, &one.old_object), (&one.new_mode, &one.new_object)]);
        let files = sides.filter(|(mode, _)| mode.starts_with("10") || mode.starts_with("12"));
        let objects: Vec<u8> = files.flat_map(|(_, object)| [object.as_bytes(), b"\n"]).flatten().copied().collect();
        has_secret(self.git.on_session(self.repository, None), objects, self.mask).await
    }

    /// The attributes of our own repository take precedence over all others; without a work tree there are no others.
    async fn compare_as_binary(&self) -> Result<Vec<u8>, WorkspaceError> {
        let attributes: PathBuf = self.repository.join("info/attributes");
        let owner = self.git.settings().owner;
        let before = as_owner(owner, || std::fs::read(&attributes)).unwrap_or_default();
        write_owned(&attributes, b"* -diff\n", owner)?;
        let patch = self.compare().await;
        write_owned(&attributes, &before, owner)?;
        patch
    }

    async fn compare(&self) -> Result<Vec<u8>, WorkspaceError> {
        let options = ["diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv"];
        let call = self.git.on_session(self.repository, None).args(options);
        let call = call.args(["--no-renames", "--submodule=short", "--ignore-submodules=none"]);
        let call = call.arg(self.prefix("--src-prefix=a/")).arg(self.prefix("--dst-prefix=b/"));
        call.args([self.base_tree, self.tree, "--"]).run().await
    }

    fn prefix(&self, option: &str) -> OsString {
        let mut text = option.as_bytes().to_vec();
        if !self.folder.as_os_str().is_empty() {
            text.extend(self.folder.as_os_str().to_owned().into_vec());
            text.push(b'/');
        }
        OsString::from_vec(text)
    }
}

/// The sections of the wanted paths that are UTF-8, and the other ones of those paths. The two of a change of type stay
/// together.
fn split_by_encoding(
    patch: &[u8],
    changes: &[TreeChange],
    is_wanted: impl Fn(&[u8]) -> bool,
) -> Result<(Vec<u8>, BTreeSet<Vec<u8>>), WorkspaceError> {
    let sections = assign_sections(patch, changes)?;
    let pairs = || sections.iter().filter(|(one, _)| is_wanted(&one.path));
    let other: BTreeSet<_> = pairs().filter(|(_, part)| !is_text(part)).map(|(one, _)| one.path.clone()).collect();
    let text = pairs().filter(|(one, _)| !other.contains(&one.path)).flat_map(|(_, part)| part.to_vec()).collect();
    Ok((text, other))
}

/// The sections with their changes, in whose order they are; a change of type has two.
fn assign_sections<'a>(
    patch: &'a [u8],
    changes: &'a [TreeChange],
) -> Result<Vec<(&'a TreeChange, &'a [u8])>, WorkspaceError> {
    let sections_of = |change| std::iter::repeat_n(change, if change_is_of_type(change) { 2 } else { 1 });
    let owners: Vec<&TreeChange> = changes.iter().flat_map(sections_of).collect();
    let sections = split_sections(patch);
    if sections.len() != owners.len() {
        let message = format!("the patch has {} sections for {} changes", sections.len(), owners.len());
        return Err(WorkspaceError::new(WorkspaceError::GIT_FAILED, message));
    }
    Ok(owners.into_iter().zip(sections).collect())
}

fn is_text(section: &[u8]) -> bool {
    std::str::from_utf8(section).is_ok()
}

/// No line of content begins like this one.
fn is_binary(section: &[u8]) -> bool {
    section.split(|byte| *byte == b'\n').any(|line| line == b"GIT binary patch")
}

fn change_is_of_type(change: &TreeChange) -> bool {
    change.status == b'T'
}

/// Content lines begin with a space, a sign or a letter of base 85, which has no space: a header is unmistakable.
fn split_sections(patch: &[u8]) -> Vec<&[u8]> {
    const HEADER: &[u8] = b"diff --git ";
    let mut starts = Vec::new();
    let mut line = 0;
    while line < patch.len() {
        if patch[line..].starts_with(HEADER) {
            starts.push(line);
        }
        line = patch[line..].iter().position(|byte| *byte == b'\n').map_or(patch.len(), |end| line + end + 1);
    }
    let ends = starts.iter().skip(1).copied().chain([patch.len()]);
    starts.iter().zip(ends).map(|(start, end)| &patch[*start..end]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_split_at_headers_and_not_at_content() {
        let patch = b"diff --git a/x b/x\n+diff --git a/y b/y\ndiff --git a/z b/z\n-1\n";
        let sections = split_sections(patch);
        assert_eq!(sections, [&b"diff --git a/x b/x\n+diff --git a/y b/y\n"[..], b"diff --git a/z b/z\n-1\n"]);
        assert!(split_sections(b"").is_empty());
    }
}
