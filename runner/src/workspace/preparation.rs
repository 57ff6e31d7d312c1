//! Makes the workspace of one session, from its source to the state in which the agent finds it.

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use super::{
    check_out::{CheckOut, append_section},
    continuation::Continuation,
    copied_folder::copy_folder,
    credential::GitCredential,
    error::{NamePath, WorkspaceError},
    files::{create_empty_folder, create_private_folder, create_session_folder, is_real_folder, write_owned},
    git::Git,
    mirror::{MirrorRequest, MirrorUse, Mirrors},
    source::{Origin, ParsedAddition, ParsedSource},
    state::{SessionFolder, WorkTree, WorkspaceState, WorkspaceWarning},
    submodules::{Submodule, list_submodules},
    url::RepositoryUrl,
};

/// The code of warnings about submodules that stay empty.
const SUBMODULE_EMPTY: &str = "SUBMODULE_EMPTY";

/// One preparation.
#[derive(Debug)]
pub(super) struct Preparation<'a> {
    git: &'a Git,
    mirrors: &'a Mirrors,
    tenant: &'a str,
    folder: &'a SessionFolder,
    credentials: Vec<GitCredential>,
    state: WorkspaceState,
}

/// A submodule whose parent is checked out.
struct PendingSubmodule {
    parent: PathBuf,
    parent_url: RepositoryUrl,
    submodule: Submodule,
}

/// The branch that an agent stands on, and that its work is kept on.
pub(super) fn branch_of(session: &str) -> String {
    format!("ioc/{session}")
}

impl<'a> Preparation<'a> {
    pub(super) fn new(git: &'a Git, mirrors: &'a Mirrors, tenant: &'a str, folder: &'a SessionFolder) -> Self {
        let session = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let state = WorkspaceState {
            session,
            start: PathBuf::new(),
            trees: Vec::new(),
            borrowed: Vec::new(),
            warnings: Vec::new(),
            is_verbatim: false,
            identity: git.settings().identity.clone(),
        };
        Self { git, mirrors, tenant, folder, credentials: Vec::new(), state }
    }

    /// Makes the workspace. With `renew`, mirrors are made anew, because one turned out to be damaged.
    pub(super) async fn run(mut self, source: &ParsedSource, renew: bool) -> Result<WorkspaceState, WorkspaceError> {
        let owner = self.git.settings().owner;
        create_session_folder(self.folder.path(), owner)?;
        create_private_folder(&self.folder.meta(), owner)?;
        self.choose_identity(source).await;
        self.credentials.clone_from(&source.credentials);
        match &source.origin {
            Origin::Nothing => self.begin_from_nothing().await?,
            Origin::Files(folder) => self.begin_from_files(folder).await?,
            Origin::Repository { url, start } => {
                self.state.start.clone_from(start);
                self.begin_from_repository(url, source.reference.as_deref(), renew).await?;
            }
        }
        for addition in &source.additional {
            self.add_repository(addition, renew).await?;
        }
        if let Some(patch) = &source.continuation {
            self.continue_with(patch).await?;
        }
        self.check_start()?;
        self.folder.save(&self.state, owner)?;
        Ok(self.state)
    }

    /// The identity that a source repository of this machine has, else that of the machine, else ours.
    async fn choose_identity(&mut self, source: &ParsedSource) {
        let config = match &source.origin {
            Origin::Repository { url, .. } => url.folder().map(|folder| {
                let inner = folder.join(".git");
                if inner.is_dir() { inner.join("config") } else { folder.join("config") }
            }),
            _ => None,
        };
        if let Some(name) = self.find_setting(config.as_deref(), "user.name").await {
            self.state.identity.name = name;
        }
        if let Some(email) = self.find_setting(config.as_deref(), "user.email").await {
            self.state.identity.email = email;
        }
    }

    async fn find_setting(&self, config: Option<&Path>, name: &str) -> Option<String> {
        if let Some(config) = config.filter(|config| config.is_file()) {
            let value = self
                .git
                .on_configuration(config)
                .args(["--get", name])
                .line()
                .await
                .ok()
                .filter(|value| !value.is_empty());
            if value.is_some() {
                return value;
            }
        }
        self.git.machine_setting(name).await
    }

    async fn begin_from_nothing(&mut self) -> Result<(), WorkspaceError> {
        self.check_out_first(None, None, None).await
    }

    async fn begin_from_files(&mut self, folder: &Path) -> Result<(), WorkspaceError> {
        let repository = self.folder.path().join("source.git");
        let base = copy_folder(self.git, folder, &repository, &self.state.identity).await?;
        self.state.is_verbatim = true;
        self.state.borrowed.push(repository.join("objects"));
        let copied = MirrorUse { repository, base, branch: None, format: "sha1".to_owned() };
        self.check_out_first(Some(&copied), None, None).await
    }

    async fn begin_from_repository(
        &mut self,
        url: &RepositoryUrl,
        reference: Option<&str>,
        renew: bool,
    ) -> Result<(), WorkspaceError> {
        let mirror = self.obtain(url, reference, renew).await?;
        self.check_out_first(Some(&mirror), Some(url), mirror.branch.as_deref()).await?;
        self.add_submodules(url, renew).await
    }

    async fn obtain(
        &mut self,
        url: &RepositoryUrl,
        reference: Option<&str>,
        renew: bool,
    ) -> Result<MirrorUse, WorkspaceError> {
        let borrower = self.folder.borrower();
        let credential = self.credentials.iter().find(|one| one.is_for(url));
        let request = MirrorRequest { tenant: self.tenant, url, reference, credential, borrower: &borrower, renew };
        let mirror = self.mirrors.obtain(request).await?;
        let objects = mirror.repository.join("objects");
        if !self.state.borrowed.contains(&objects) {
            self.state.borrowed.push(objects);
        }
        Ok(mirror)
    }

    async fn check_out_first(
        &mut self,
        lender: Option<&MirrorUse>,
        url: Option<&RepositoryUrl>,
        upstream: Option<&str>,
    ) -> Result<(), WorkspaceError> {
        let (work, branch) = (self.folder.work(), branch_of(&self.state.session));
        let check_out = CheckOut {
            git: self.git,
            work: &work,
            path: PathBuf::new(),
            repository: self.folder.meta().join("0.git"),
            lender: lender.map(|lender| lender.repository.as_path()),
            base: lender.and_then(|lender| lender.base.as_deref()),
            format: lender.map_or("sha1", |lender| lender.format.as_str()),
            branch: Some(&branch),
            remote: url.map(|url| (url.without_user(), upstream)),
            identity: &self.state.identity,
            is_verbatim: self.state.is_verbatim,
        };
        let tree = check_out.run().await?;
        self.state.trees.push(tree);
        Ok(())
    }

    /// Clones a further repository into a folder of the work tree. Its changes are collected as those of a submodule.
    async fn add_repository(&mut self, addition: &ParsedAddition, renew: bool) -> Result<(), WorkspaceError> {
        let ParsedAddition { url, reference, path } = addition;
        let mirror = self.obtain(url, reference.as_deref(), renew).await?;
        create_empty_folder(&self.folder.work(), path, self.git.settings().owner)?;
        let work = self.folder.work().join(path);
        let check_out = CheckOut {
            git: self.git,
            work: &work,
            path: path.clone(),
            repository: self.folder.meta().join(format!("{}.git", self.state.trees.len())),
            lender: Some(&mirror.repository),
            base: mirror.base.as_deref(),
            format: &mirror.format,
            branch: None,
            remote: Some((url.without_user(), None)),
            identity: &self.state.identity,
            is_verbatim: false,
        };
        let tree = check_out.run().await?;
        self.state.trees.push(tree);
        Ok(())
    }

    async fn add_submodules(&mut self, url: &RepositoryUrl, renew: bool) -> Result<(), WorkspaceError> {
        let mut pending = self.list_pending(0, url).await?;
        while let Some(next) = pending.pop_front() {
            if self.state.trees.len() > self.git.settings().limits.submodules {
                self.warn(&next, "there are too many submodules");
                continue;
            }
            match self.add_submodule(&next, renew).await {
                Ok(child_url) => pending.extend(self.list_pending(self.state.trees.len() - 1, &child_url).await?),
                Err(error) => self.warn(&next, error.message()),
            }
        }
        Ok(())
    }

    async fn list_pending(&self, at: usize, url: &RepositoryUrl) -> Result<VecDeque<PendingSubmodule>, WorkspaceError> {
        let WorkTree { path, repository, base, .. } = &self.state.trees[at];
        let Some(base) = base else { return Ok(VecDeque::new()) };
        let found = list_submodules(self.git, repository, base).await?;
        let pending = |submodule| PendingSubmodule { parent: path.clone(), parent_url: url.clone(), submodule };
        Ok(found.into_iter().map(pending).collect())
    }

    async fn add_submodule(&mut self, next: &PendingSubmodule, renew: bool) -> Result<RepositoryUrl, WorkspaceError> {
        let PendingSubmodule { parent, parent_url, submodule } = next;
        let url = parent_url.submodule(&submodule.url, self.git.settings())?;
        if let Some(folder) = url.folder() {
            super::source::permitted_folder(&folder, self.git.settings())?;
        }
        let path = parent.join(&submodule.path);
        if !is_real_folder(&self.folder.work(), &path) {
            let message = "its folder is not in the checkout";
            return Err(WorkspaceError::new(WorkspaceError::DIRECTORY_MISSING, message));
        }
        let mirror = self.obtain(&url, Some(&submodule.commit), renew).await?;
        let work = self.folder.work().join(&path);
        let check_out = CheckOut {
            git: self.git,
            work: &work,
            path,
            repository: self.folder.meta().join(format!("{}.git", self.state.trees.len())),
            lender: Some(&mirror.repository),
            base: mirror.base.as_deref(),
            format: &mirror.format,
            branch: None,
            remote: Some((url.without_user(), None)),
            identity: &self.state.identity,
            is_verbatim: false,
        };
        let tree = check_out.run().await?;
        self.state.trees.push(tree);
        self.activate(next, &url)?;
        Ok(url)
    }

    /// Makes the agent's git see the submodule as initialised.
    fn activate(&self, next: &PendingSubmodule, url: &RepositoryUrl) -> Result<(), WorkspaceError> {
        let config = self.folder.work().join(&next.parent).join(".git/config");
        let mut text = fs::read_to_string(&config).name_path(&config)?;
        let values = [("active", "true"), ("url", &url.without_user())];
        append_section(&mut text, "submodule", Some(&next.submodule.name), &values);
        write_owned(&config, text.as_bytes(), self.git.settings().owner)
    }

    fn warn(&mut self, next: &PendingSubmodule, why: &str) {
        let path = next.parent.join(&next.submodule.path);
        let message = format!("The submodule {} is empty: {why}", path.display());
        self.state.warnings.push(WorkspaceWarning { code: SUBMODULE_EMPTY.to_owned(), message });
    }

    async fn continue_with(&self, patch: &str) -> Result<(), WorkspaceError> {
        let scratch = self.folder.meta().join("continuation");
        create_private_folder(&scratch, self.git.settings().owner)?;
        let submodules = submodules_below(&self.state.trees, Path::new(""));
        let continuation = Continuation {
            git: self.git,
            work: &self.folder.work(),
            tree: &self.state.trees[0],
            scratch: &scratch,
            submodules: &submodules,
            identity: &self.state.identity,
        };
        continuation.apply(patch).await?;
        fs::remove_dir_all(&scratch).name_path(&scratch)
    }

    /// A link in the repository must not lead the agent's start folder out of it.
    fn check_start(&self) -> Result<(), WorkspaceError> {
        let start = &self.state.start;
        if is_real_folder(&self.folder.work(), start) {
            return Ok(());
        }
        let message = format!("the repository has no folder {}", start.display());
        Err(WorkspaceError::new(WorkspaceError::DIRECTORY_MISSING, message))
    }
}

/// The folders of submodules within one work tree, relative to it.
pub(super) fn submodules_below(trees: &[WorkTree], parent: &Path) -> BTreeSet<Vec<u8>> {
    let below = trees.iter().filter(|tree| tree.path != parent).filter_map(|tree| tree.path.strip_prefix(parent).ok());
    below.map(|path| path.as_os_str().to_owned().into_vec()).collect()
}
