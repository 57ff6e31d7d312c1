//! Where a session's files come from, checked before anything is done.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use super::{credential::GitCredential, error::WorkspaceError, settings::WorkspaceSettings, url::RepositoryUrl};

/// Where a session's files come from. Nothing at all is an empty repository.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct WorkspaceSource {
    /// The address of a repository: `https:`, `ssh:`, `user@host:path`, `file:`.
    pub repository: Option<String>,
    /// A branch, a tag, a commit or a full name such as `refs/pull/1/head`; none: the default branch.
    pub reference: Option<String>,
    /// A folder of the repository in which the agent starts, or, without a repository, an absolute folder of this
    /// machine: it is cloned where it is in a git repository, else its files are copied.
    pub directory: Option<String>,
    /// The patch of an earlier run, which is applied first and is part of the collected work.
    pub continuation: Option<String>,
    /// Further repositories in folders of the work tree.
    pub additional: Vec<AdditionalRepository>,
    /// What the session has for git hosts, instead of the machine's own credentials.
    pub credentials: Vec<GitCredential>,
}

/// A further repository of a session.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AdditionalRepository {
    /// As [`WorkspaceSource::repository`].
    pub repository: String,
    /// As [`WorkspaceSource::reference`].
    pub reference: Option<String>,
    /// The folder of the work tree, which must not be there yet, or be empty.
    pub path: String,
}

/// A checked source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ParsedSource {
    pub(super) origin: Origin,
    /// None: the default branch.
    pub(super) reference: Option<String>,
    pub(super) continuation: Option<String>,
    pub(super) additional: Vec<ParsedAddition>,
    pub(super) credentials: Vec<GitCredential>,
}

/// A checked further repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ParsedAddition {
    pub(super) url: RepositoryUrl,
    pub(super) reference: Option<String>,
    pub(super) path: PathBuf,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// `start` is the folder of the repository in which the agent starts.
    Repository {
        url: RepositoryUrl,
        start: PathBuf,
    },
    /// The files of a folder that is in no repository.
    Files(PathBuf),
    Nothing,
}

impl ParsedSource {
    /// Checks a source. A folder of this machine must exist within a permitted one, links resolved.
    pub(super) fn parse(source: &WorkspaceSource, settings: &WorkspaceSettings) -> Result<Self, WorkspaceError> {
        let reference = source.reference.as_deref().filter(|one| !one.is_empty());
        if let Some(reference) = reference {
            check_reference(reference)?;
        }
        let directory = source.directory.as_deref().filter(|one| !one.is_empty());
        let origin = match (&source.repository, directory) {
            (Some(text), directory) => {
                let url = permitted_url(text, settings)?;
                Origin::Repository { url, start: relative_folder(directory.unwrap_or_default())? }
            }
            (None, Some(directory)) => folder_of_machine(directory, settings)?,
            (None, None) => Origin::Nothing,
        };
        if reference.is_some() && !matches!(origin, Origin::Repository { .. }) {
            let message = "a reference needs a repository";
            return Err(WorkspaceError::new(WorkspaceError::SOURCE_INVALID, message));
        }
        let continuation = source.continuation.clone().filter(|patch| !patch.trim().is_empty());
        let additional = source.additional.iter().map(|one| ParsedAddition::parse(one, settings));
        let additional = additional.collect::<Result<_, _>>()?;
        let credentials = source.credentials.clone();
        Ok(Self { origin, reference: reference.map(str::to_owned), continuation, additional, credentials })
    }
}

impl ParsedAddition {
    fn parse(one: &AdditionalRepository, settings: &WorkspaceSettings) -> Result<Self, WorkspaceError> {
        let reference = one.reference.clone().filter(|name| !name.is_empty());
        if let Some(reference) = &reference {
            check_reference(reference)?;
        }
        let path = relative_folder(&one.path)?;
        if path.as_os_str().is_empty() {
            let message = "a further repository needs a folder of its own";
            return Err(WorkspaceError::new(WorkspaceError::SOURCE_INVALID, message));
        }
        Ok(Self { url: permitted_url(&one.repository, settings)?, reference, path })
    }
}

/// The address of a repository. A folder of this machine must be permitted.
fn permitted_url(text: &str, settings: &WorkspaceSettings) -> Result<RepositoryUrl, WorkspaceError> {
    let url = RepositoryUrl::parse(text, settings)?;
    match url.folder() {
        Some(folder) => RepositoryUrl::of_folder(&permitted_folder(&folder, settings)?),
        None => Ok(url),
    }
}

/// The rules of `git check-ref-format`, and no option.
pub(super) fn check_reference(name: &str) -> Result<(), WorkspaceError> {
    let forbidden = |one: char| one.is_control() || one.is_whitespace() || "~^:?*[\\".contains(one);
    let wrong = name.len() > 250
        || name.starts_with(['-', '/'])
        || name.ends_with(['/', '.'])
        || name == "@"
        || ["..", "@{", "//"].iter().any(|part| name.contains(part))
        || name.chars().any(forbidden)
        || name.split('/').any(|part| part.starts_with('.') || has_lock_suffix(part));
    if wrong {
        let message = format!("{} is no name of a branch, a tag or a commit", name.escape_debug());
        return Err(WorkspaceError::new(WorkspaceError::SOURCE_INVALID, message));
    }
    Ok(())
}

/// Git writes files of such names beside references.
fn has_lock_suffix(part: &str) -> bool {
    part.as_bytes().ends_with(b".lock")
}

/// A folder within a repository, without `..` and links to elsewhere by its name.
pub(super) fn relative_folder(text: &str) -> Result<PathBuf, WorkspaceError> {
    let mut folder = PathBuf::new();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(name) if !name.eq_ignore_ascii_case(".git") => folder.push(name),
            Component::CurDir => {}
            _ => {
                let message = format!("{} is no folder within the repository", text.escape_debug());
                return Err(WorkspaceError::new(WorkspaceError::SOURCE_INVALID, message));
            }
        }
    }
    if text.contains('\0') {
        return Err(WorkspaceError::new(WorkspaceError::SOURCE_INVALID, "the folder has a NUL"));
    }
    Ok(folder)
}

/// The real path of a folder that sessions may take files from. What is not permitted does not show whether it exists.
pub(super) fn permitted_folder(path: &Path, settings: &WorkspaceSettings) -> Result<PathBuf, WorkspaceError> {
    let permitted: Vec<_> = settings.permitted_folders.iter().filter_map(|one| fs::canonicalize(one).ok()).collect();
    let is_inside = |path: &Path| permitted.iter().any(|folder| path.starts_with(folder));
    let forbidden = || {
        let message = format!("{} is not in a folder that sessions on this machine may use", path.display());
        WorkspaceError::new(WorkspaceError::SOURCE_FORBIDDEN, message)
    };
    let has_parents = path.components().any(|part| part == Component::ParentDir);
    match fs::canonicalize(path) {
        Ok(real) if is_inside(&real) && real.is_dir() => Ok(real),
        Ok(real) if !is_inside(&real) => Err(forbidden()),
        Err(_) if has_parents || !is_inside(path) => Err(forbidden()),
        _ => {
            let message = format!("{} is no folder", path.display());
            Err(WorkspaceError::new(WorkspaceError::DIRECTORY_MISSING, message))
        }
    }
}

/// A repository that a permitted folder is in, else the files of the folder.
fn folder_of_machine(text: &str, settings: &WorkspaceSettings) -> Result<Origin, WorkspaceError> {
    if !text.starts_with('/') || text.contains('\0') {
        let message = "without a repository, the directory must be an absolute path";
        return Err(WorkspaceError::new(WorkspaceError::SOURCE_INVALID, message));
    }
    let folder = permitted_folder(Path::new(text), settings)?;
    for above in folder.ancestors() {
        if permitted_folder(above, settings).is_err() {
            break;
        }
        let is_bare = || above.join("HEAD").is_file() && above.join("objects").is_dir() && above.join("refs").is_dir();
        if above.join(".git").exists() || is_bare() {
            let start = folder.strip_prefix(above).unwrap_or(Path::new("")).to_owned();
            let start = if above.join(".git").exists() { start } else { PathBuf::new() };
            return Ok(Origin::Repository { url: RepositoryUrl::of_folder(above)?, start });
        }
    }
    Ok(Origin::Files(folder))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reference_that_is_an_option_or_an_expression_is_refused() {
        for name in
            ["-x", "--upload-pack=id", "a..b", "HEAD^", "a@{1}", "a b", "a:b", "/a", "a/", ".a", "a.lock", "@", "a\n"]
        {
            assert_eq!(check_reference(name).unwrap_err().code(), WorkspaceError::SOURCE_INVALID, "{name}");
        }
        for name in ["main", "feature/x-1", "refs/pull/1/head", "v1.0", "0123456789abcdef", "ümlaut"] {
            check_reference(name).unwrap();
        }
    }

    #[test]
    fn a_start_folder_cannot_leave_the_repository() {
        for text in ["..", "a/../b", "/etc", "a/.git/hooks", ".GIT"] {
            assert!(relative_folder(text).is_err(), "{text}");
        }
        assert_eq!(relative_folder("./a/b/").unwrap(), Path::new("a/b"));
        assert_eq!(relative_folder(".").unwrap(), Path::new(""));
    }

    #[test]
    fn a_folder_outside_of_the_permitted_ones_is_forbidden_also_by_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        fs::create_dir_all(inside.join("a")).unwrap();
        std::os::unix::fs::symlink("/etc", inside.join("link")).unwrap();
        let settings = WorkspaceSettings { permitted_folders: vec![inside.clone()], ..WorkspaceSettings::default() };
        let code = |path: &Path| permitted_folder(path, &settings).map_err(|error| error.code());
        assert_eq!(code(&inside.join("a")), Ok(fs::canonicalize(inside.join("a")).unwrap()));
        assert_eq!(code(&inside.join("link")), Err(WorkspaceError::SOURCE_FORBIDDEN));
        assert_eq!(code(Path::new("/etc")), Err(WorkspaceError::SOURCE_FORBIDDEN));
        assert_eq!(code(Path::new("/no-such-folder")), Err(WorkspaceError::SOURCE_FORBIDDEN));
        assert_eq!(code(&inside.join("b")), Err(WorkspaceError::DIRECTORY_MISSING));
        assert_eq!(code(&inside.join("../b")), Err(WorkspaceError::SOURCE_FORBIDDEN));
    }

    proptest! {
        #[test]
        fn an_accepted_reference_is_one_word_and_no_option(name in "\\PC{1,30}") {
            if check_reference(&name).is_ok() {
                prop_assert!(!name.starts_with('-') && !name.contains("..") && !name.contains(char::is_whitespace));
            }
        }
    }
}
