//! Calls of git: which configuration and variables each sees, and as which user it runs.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, sync::OnceCell};

use super::{
    credential::GitCredential,
    git_call::GitCall,
    settings::{Owner, WorkspaceSettings},
    url::{Protocol, RepositoryUrl},
};

/// Settings that no call may lack: what would run a program, outlive the call, or depend on who installed git.
const FIXED_SETTINGS: [&str; 16] = [
    "advice.detachedHead=false",
    "commit.gpgSign=false",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "core.excludesFile=/dev/null",
    "core.fsmonitor=false",
    "core.ignoreCase=false",
    "core.pager=cat",
    "core.precomposeUnicode=false",
    "core.safecrlf=false",
    "core.untrackedCache=false",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
];

/// Runs git.
#[derive(Debug)]
pub(super) struct Git {
    settings: WorkspaceSettings,
    /// A folder that stays empty: hooks are searched here, and it is the home of calls that need none.
    empty: PathBuf,
    has_ssh_command: OnceCell<bool>,
}

impl Git {
    pub(super) fn new(settings: WorkspaceSettings, empty: PathBuf) -> Self {
        Self { settings, empty, has_ssh_command: OnceCell::new() }
    }

    /// The same with other agents' user.
    pub(super) fn with_owner(&self, owner: Option<Owner>) -> Self {
        Self {
            settings: WorkspaceSettings { owner, ..self.settings.clone() },
            empty: self.empty.clone(),
            has_ssh_command: self.has_ssh_command.clone(),
        }
    }

    pub(super) const fn settings(&self) -> &WorkspaceSettings {
        &self.settings
    }

    /// A call on a mirror, as the runner's user, without any configuration of the machine.
    pub(super) fn on_mirror(&self, repository: &Path) -> GitCall {
        let mut call = self.isolated(self.settings.limits.local_call);
        call.command.env("GIT_DIR", repository).current_dir(&self.empty);
        call
    }

    /// A call on a repository of the runner that reads a folder of this machine.
    pub(super) fn on_mirror_with_files(&self, repository: &Path, folder: &Path) -> GitCall {
        let mut call = self.on_mirror(repository);
        call.command.env("GIT_WORK_TREE", folder).current_dir(folder);
        call
    }

    /// A call on a repository of a session, as the agents' user, without any configuration of the machine.
    pub(super) fn on_session(&self, repository: &Path, work: Option<&Path>) -> GitCall {
        let mut call = self.isolated(self.settings.limits.local_call);
        call.command.env("GIT_DIR", repository).current_dir(work.unwrap_or(&self.empty));
        // What a killed call loses is made anew; waiting for the disk would cost more than the work.
        call.command.args(["-c", "core.fsync=none"]);
        if let Some(work) = work {
            call.command.env("GIT_WORK_TREE", work);
        }
        self.become_owner(call)
    }

    /// The beginning of a call that creates a repository of a session.
    pub(super) fn init_on_session(&self) -> GitCall {
        self.become_owner(self.init_on_mirror())
    }

    /// The beginning of a call that creates a mirror.
    pub(super) fn init_on_mirror(&self) -> GitCall {
        let mut call = self.isolated(self.settings.limits.local_call).args(["init", "--quiet", "--template="]);
        call.command.current_dir(&self.empty);
        call
    }

    /// A call that speaks to a remote, with this credential or else those of this machine.
    pub(super) async fn remote(
        &self,
        url: &RepositoryUrl,
        repository: Option<&Path>,
        credential: Option<&GitCredential>,
    ) -> GitCall {
        let mut command = self.machine_command();
        // An empty program is no program, and keeps git from taking SSH_ASKPASS or core.askPass.
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "").env("SSH_ASKPASS_REQUIRE", "never");
        command.env("LC_ALL", "C").env("GIT_LFS_SKIP_SMUDGE", "1");
        if !self.has_ssh_command().await {
            command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=20");
        }
        // The machine's own `url.<base>.insteadOf` may lead to a folder: that is its administrator's choice.
        let protocols = if self.settings.plain_http { "http:https:ssh:file" } else { "https:ssh:file" };
        command.env("GIT_ALLOW_PROTOCOL", if url.protocol() == Protocol::File { "file" } else { protocols });
        command.args(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=300"]);
        if let Some(credential) = credential {
            credential.add_to(&mut command, url);
        }
        if let Some(repository) = repository {
            command.env("GIT_DIR", repository);
        }
        GitCall::to_remote(command, self.settings.limits.remote_call)
    }

    /// One setting of this machine's git, such as `user.name`.
    pub(super) async fn machine_setting(&self, name: &str) -> Option<String> {
        let mut command = self.machine_command();
        command.args(["config", "--get", name]);
        let output = GitCall::new(command, self.settings.limits.local_call).output().await.ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    }

    /// Whether this machine chooses how ssh is run, which must stay so.
    async fn has_ssh_command(&self) -> bool {
        let chosen = async {
            ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| self.settings.variable(name).is_some())
                || self.machine_setting("core.sshCommand").await.is_some()
        };
        *self.has_ssh_command.get_or_init(|| chosen).await
    }

    /// A call that reads one file of configuration.
    pub(super) fn on_configuration(&self, file: &Path) -> GitCall {
        let mut call = self.isolated(self.settings.limits.local_call).args(["config", "--no-includes", "--file"]);
        self.stand_alone(&mut call.command);
        call.arg(file)
    }

    /// With the variables and the configuration of this machine.
    fn machine_command(&self) -> Command {
        let mut command = self.command();
        command.env_clear().envs(self.settings.remote_variables());
        self.stand_alone(&mut command);
        command
    }

    /// The data folder may lie within a repository, which must not be found.
    fn stand_alone(&self, command: &mut Command) {
        command.current_dir(&self.empty);
        if let Some(above) = self.empty.parent() {
            command.env("GIT_CEILING_DIRECTORIES", above);
        }
    }

    fn isolated(&self, limit: Duration) -> GitCall {
        let mut command = self.command();
        command.env_clear();
        for name in ["PATH", "GIT_EXEC_PATH"] {
            if let Some(value) = self.settings.variable(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", &self.empty).env("XDG_CONFIG_HOME", &self.empty).env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_ATTR_NOSYSTEM", "1");
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "").env("GIT_ALLOW_PROTOCOL", "none");
        command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_NO_REPLACE_OBJECTS", "1").env("GIT_OPTIONAL_LOCKS", "0");
        command.env("GIT_DEFAULT_REF_FORMAT", "files");
        command.args(["-c", "core.fileMode=true", "-c", "core.symlinks=true"]);
        GitCall::new(command, limit)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        for setting in FIXED_SETTINGS {
            command.args(["-c", setting]);
        }
        command.arg("-c").arg(assignment("core.hooksPath", &self.empty));
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn become_owner(&self, mut call: GitCall) -> GitCall {
        if let Some(owner) = self.settings.owner {
            call.command.uid(owner.uid).gid(owner.gid);
        }
        call
    }
}

fn assignment(name: &str, value: &Path) -> OsString {
    let mut text = OsString::from(name);
    text.push("=");
    text.push(value);
    text
}
