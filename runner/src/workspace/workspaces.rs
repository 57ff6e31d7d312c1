//! All workspaces of this machine.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    collect::Workspace,
    error::{NamePath, WorkspaceError},
    files::{create_shared_folder, grant_to_group, remove_folder},
    git::Git,
    git_stderr::hints_at_damage,
    mirror::Mirrors,
    preparation::Preparation,
    settings::{Owner, WorkspaceSettings},
    source::{Origin, ParsedSource, WorkspaceSource},
    state::SessionFolder,
};

/// The workspaces of a runner.
#[derive(Debug)]
pub struct Workspaces {
    git: Arc<Git>,
    mirrors: Arc<Mirrors>,
    sessions: PathBuf,
}

impl Workspaces {
    /// Opens a data folder, which is created if it is missing. Several runners may share one, if their sessions have
    /// different names and none removes the leftovers of another.
    ///
    /// # Errors
    ///
    /// `WORKSPACE_FILES_FAILED` if the folder cannot be written.
    pub fn open(data: &Path, settings: WorkspaceSettings) -> Result<Self, WorkspaceError> {
        fs::create_dir_all(data).name_path(data)?;
        let data = fs::canonicalize(data).name_path(data)?;
        let (mirrors, sessions, empty) = (data.join("mirrors"), data.join("sessions"), data.join("hooks"));
        // With agents of another user, folders must be passable for it, and mirrors readable for its group alone.
        let passable = if settings.owner.is_some() { 0o711 } else { 0o700 };
        create_shared_folder(&data, passable)?;
        create_shared_folder(&mirrors, 0o750)?;
        create_shared_folder(&sessions, passable)?;
        create_shared_folder(&empty, 0o755)?;
        grant_to_group(&mirrors, settings.owner)?;
        let git = Arc::new(Git::new(settings, empty));
        let mirrors = Arc::new(Mirrors::new(mirrors, sessions.clone(), Arc::clone(&git)));
        Ok(Self { git, mirrors, sessions })
    }

    /// The same workspaces for an agent of another user. Its group stays that of the settings, which may read mirrors.
    /// Where the settings have no owner, agents run as the runner's own user, and this changes nothing.
    #[must_use]
    pub fn for_owner(&self, owner: Owner) -> Self {
        let owner = self.git.settings().owner.map(|of_settings| Owner { gid: of_settings.gid, ..owner });
        Self {
            git: Arc::new(self.git.with_owner(owner)),
            mirrors: Arc::clone(&self.mirrors),
            sessions: self.sessions.clone(),
        }
    }

    /// Makes the workspace of a session. What an earlier attempt for the same session left is removed first.
    ///
    /// # Errors
    ///
    /// One code each for what a person can change: `WORKSPACE_SOURCE_INVALID`, `WORKSPACE_SOURCE_FORBIDDEN`,
    /// `WORKSPACE_AUTHENTICATION_REQUIRED`, `WORKSPACE_REPOSITORY_NOT_FOUND`, `WORKSPACE_REFERENCE_UNKNOWN`,
    /// `WORKSPACE_DIRECTORY_MISSING`, `WORKSPACE_PATCH_REFUSED`, `WORKSPACE_NETWORK`, `WORKSPACE_TIMEOUT`,
    /// `WORKSPACE_DISK_FULL`. Nothing is left of a workspace that could not be made.
    pub async fn prepare(
        &self,
        tenant: &str,
        session: &str,
        source: &WorkspaceSource,
    ) -> Result<Workspace, WorkspaceError> {
        let folder = self.folder_of(session)?;
        let source = ParsedSource::parse(source, self.git.settings())?;
        let mut prepared = self.try_to_prepare(tenant, &folder, &source, false).await;
        let is_mirrored = matches!(source.origin, Origin::Repository { .. });
        if is_mirrored && prepared.as_ref().is_err_and(hints_at_damage) {
            prepared = self.try_to_prepare(tenant, &folder, &source, true).await;
        }
        prepared
    }

    async fn try_to_prepare(
        &self,
        tenant: &str,
        folder: &SessionFolder,
        source: &ParsedSource,
        renew: bool,
    ) -> Result<Workspace, WorkspaceError> {
        remove_agents_folder(folder.path().to_owned()).await?;
        let preparation = Preparation::new(&self.git, &self.mirrors, tenant, folder);
        match Box::pin(preparation.run(source, renew)).await {
            Ok(state) => Ok(Workspace::new(Arc::clone(&self.git), folder.clone(), state)),
            Err(error) => {
                remove_agents_folder(folder.path().to_owned()).await?;
                Err(error)
            }
        }
    }

    /// The workspace that an earlier process made for a session, if it was completed.
    ///
    /// # Errors
    ///
    /// `WORKSPACE_SOURCE_INVALID` if the name of the session is not allowed.
    pub fn reopen(&self, session: &str) -> Result<Option<Workspace>, WorkspaceError> {
        let folder = self.folder_of(session)?;
        Ok(folder.load().map(|state| Workspace::new(Arc::clone(&self.git), folder, state)))
    }

    /// Removes the workspace of a session with everything in it. Without one, nothing happens. The mirror stays.
    ///
    /// # Errors
    ///
    /// `WORKSPACE_FILES_FAILED` if something cannot be removed.
    pub async fn remove(&self, session: &str) -> Result<(), WorkspaceError> {
        let folder = self.folder_of(session)?;
        remove_agents_folder(folder.path().to_owned()).await
    }

    /// Removes the workspaces of all sessions but those in `keep`, and mirrors that were replaced and that none of the
    /// kept sessions borrows from. Returns the removed sessions.
    ///
    /// # Errors
    ///
    /// `WORKSPACE_FILES_FAILED` if something cannot be removed; the rest is removed all the same.
    pub async fn remove_leftovers(&self, keep: &BTreeSet<String>) -> Result<Vec<String>, WorkspaceError> {
        let (mut removed, mut failed) = (Vec::new(), None);
        for entry in fs::read_dir(&self.sessions).name_path(&self.sessions)? {
            let entry = entry.name_path(&self.sessions)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if keep.contains(&name) {
                continue;
            }
            match remove_agents_folder(entry.path()).await {
                Ok(()) => removed.push(name),
                Err(error) => failed = Some(error),
            }
        }
        self.mirrors.remove_retired().await?;
        failed.map_or(Ok(removed), Err)
    }

    /// The folder of a session. Its name is also that of a branch.
    fn folder_of(&self, session: &str) -> Result<SessionFolder, WorkspaceError> {
        let is_plain = |one: char| one.is_ascii_alphanumeric() || one == '-' || one == '_';
        if session.is_empty() || session.len() > 128 || session.starts_with('-') || !session.chars().all(is_plain) {
            let message = "the name of a session has 1 to 128 letters, digits, - or _";
            return Err(WorkspaceError::new(WorkspaceError::SOURCE_INVALID, message));
        }
        Ok(SessionFolder::new(self.sessions.join(session)))
    }
}

/// Removes a folder with everything in it, whatever an agent has done to it. Without one, nothing happens.
///
/// # Errors
///
/// `WORKSPACE_FILES_FAILED` if something cannot be removed.
pub async fn remove_agents_folder(path: PathBuf) -> Result<(), WorkspaceError> {
    let removed = tokio::task::spawn_blocking(move || remove_folder(&path)).await;
    removed.unwrap_or_else(|error| Err(WorkspaceError::new(WorkspaceError::FILES_FAILED, error.to_string())))
}
