//! Submodules, as in a fresh checkout: each from a mirror of its own. A submodule that cannot be had stays empty, and a
//! warning says so.

use std::{collections::BTreeMap, path::Path};

use super::{
    error::WorkspaceError,
    git::Git,
    source::{check_reference, relative_folder},
    untracked::{SUBMODULE_MODE, split_nul},
};

/// A submodule that a commit names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Submodule {
    /// The name in `.gitmodules`.
    pub(super) name: String,
    /// The folder below its parent.
    pub(super) path: String,
    /// The address as `.gitmodules` states it.
    pub(super) url: String,
    pub(super) commit: String,
}

/// The submodules of a commit that have a folder, an address and a commit.
pub(super) async fn list_submodules(
    git: &Git,
    repository: &Path,
    base: &str,
) -> Result<Vec<Submodule>, WorkspaceError> {
    let call = || git.on_session(repository, None);
    let modules = format!("{base}:.gitmodules");
    if !call().args(["cat-file", "-e", &modules]).output().await?.status.success() {
        return Ok(Vec::new());
    }
    let list = call().args(["config", "--no-includes", "-z", "--blob", &modules, "--get-regexp", r"^submodule\."]);
    // A file that git cannot read names no submodules.
    let settings = list.output().await?.stdout;
    let tree = call().args(["ls-tree", "-r", "-z", "--full-tree", base]).run().await?;
    Ok(match_submodules(&settings, &tree))
}

fn match_submodules(settings: &[u8], tree: &[u8]) -> Vec<Submodule> {
    let mut commits = BTreeMap::new();
    for line in split_nul(tree).filter(|line| line.starts_with(SUBMODULE_MODE.as_bytes())) {
        let line = String::from_utf8_lossy(line);
        if let Some((facts, path)) = line.split_once('\t') {
            commits.insert(path.to_owned(), facts.rsplit(' ').next().unwrap_or_default().to_owned());
        }
    }
    let mut named: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for setting in split_nul(settings) {
        let Some((key, value)) = std::str::from_utf8(setting).ok().and_then(|text| text.split_once('\n')) else {
            continue;
        };
        let Some((name, key)) = key.strip_prefix("submodule.").and_then(|key| key.rsplit_once('.')) else { continue };
        match key {
            "path" => named.entry(name).or_default().0 = Some(value.trim_end_matches('/')),
            "url" => named.entry(name).or_default().1 = Some(value),
            _ => {}
        }
    }
    let found = named.into_iter().filter_map(|(name, facts)| {
        let (Some(path), Some(url)) = facts else { return None };
        let is_plain = relative_folder(path).is_ok_and(|folder| folder.as_os_str() == path);
        let commit = commits.get(path).filter(|commit| is_plain && check_reference(commit).is_ok())?;
        Some(Submodule { name: name.to_owned(), path: path.to_owned(), url: url.to_owned(), commit: commit.clone() })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submodule_needs_a_folder_that_the_commit_has() {
        let settings =
            b"submodule.a.path\nlib\0submodule.a.url\n../lib\0submodule.b.path\n../out\0submodule.b.url\nx\0\
            submodule.c.path\nno\0submodule.c.url\nx\0submodule.d.e.path\nd/\0submodule.d.e.url\ny\0";
        let tree =
            b"160000 commit 1111\tlib\x00160000 commit 2222\t../out\x00100644 blob 3\tno\x00160000 commit 4444\td\0";
        let found = match_submodules(settings, tree);
        let paths: Vec<_> =
            found.iter().map(|one| (one.name.as_str(), one.path.as_str(), one.commit.as_str())).collect();
        assert_eq!(paths, [("a", "lib", "1111"), ("d.e", "d", "4444")]);
    }
}
