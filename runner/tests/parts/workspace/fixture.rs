//! Repositories, folders and agents of tests, in a temporary folder.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use runner::workspace::{CollectedWork, Workspace, WorkspaceError, WorkspaceSettings, WorkspaceSource, Workspaces};
use tempfile::TempDir;

/// A machine with a data folder, a folder of repositories, and a configuration of git.
pub(crate) struct Fixture {
    folder: TempDir,
    pub(crate) workspaces: Workspaces,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With settings that a test changes.
    pub(crate) fn with(change: impl FnOnce(&mut WorkspaceSettings)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Agents of another user must be able to pass.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        fs::create_dir(folder.path().join("src")).expect("a folder");
        fs::write(folder.path().join("gitconfig"), "[protocol \"file\"]\n\tallow = always\n").expect("a configuration");
        let mut settings = Self::settings_in(folder.path());
        change(&mut settings);
        let workspaces = Workspaces::open(&folder.path().join("data"), settings).expect("workspaces");
        Self { folder, workspaces }
    }

    pub(crate) fn settings_in(folder: &Path) -> WorkspaceSettings {
        let mut settings = WorkspaceSettings::of_process();
        settings.environment.insert("GIT_CONFIG_GLOBAL".into(), folder.join("gitconfig").into());
        settings.environment.insert("GIT_CONFIG_NOSYSTEM".into(), "1".into());
        settings.permitted_folders.push(folder.join("src"));
        settings
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Where repositories and folders of sources are.
    pub(crate) fn sources(&self) -> PathBuf {
        self.path().join("src")
    }

    /// A folder of a source.
    pub(crate) fn source(&self, name: &str) -> PathBuf {
        self.sources().join(name)
    }

    /// A repository on `main` with one commit that a script's files are in.
    pub(crate) fn repository(&self, name: &str, script: &str) -> PathBuf {
        let folder = self.source(name);
        fs::create_dir_all(&folder).expect("a folder");
        run(&folder, &format!("git init -q -b main && {script}"));
        commit(&folder, "first");
        folder
    }

    /// The workspace of a session on a repository.
    pub(crate) async fn prepare(&self, session: &str, source: &WorkspaceSource) -> Workspace {
        self.workspaces.prepare("tenant", session, source).await.expect("a workspace")
    }

    pub(crate) async fn prepare_error(&self, source: &WorkspaceSource) -> WorkspaceError {
        let error = self.workspaces.prepare("tenant", "refused", source).await.expect_err("an error");
        assert!(!self.data().join("sessions/refused").exists(), "something is left of a refused workspace");
        error
    }

    /// The folder of the only mirror.
    pub(crate) fn mirror(&self) -> PathBuf {
        let mut mirrors = fs::read_dir(self.data().join("mirrors")).expect("mirrors");
        let mirror = mirrors.next().expect("a mirror").expect("an entry").path();
        assert!(mirrors.next().is_none(), "there are several mirrors");
        mirror
    }

    /// A fresh checkout of a repository at the base of collected work, with the work's patch applied.
    pub(crate) fn apply(&self, repository: &Path, work: &CollectedWork) -> PathBuf {
        let target = tempfile::tempdir_in(self.path()).expect("a folder").keep();
        let patch = target.with_extension("patch");
        fs::write(&patch, &work.patch).expect("a patch");
        match &work.base {
            Some(base) => run(
                &target,
                &format!(
                    "git -c protocol.file.allow=always clone -q --recurse-submodules {} . && git checkout -q {base}",
                    repository.display()
                ),
            ),
            None => run(&target, "git init -q"),
        };
        if !work.patch.is_empty() {
            run(&target, &format!("git apply --whitespace=nowarn {}", patch.display()));
        }
        target
    }
}

/// The source of a repository's branch.
pub(crate) fn repository_source(path: &Path) -> WorkspaceSource {
    WorkspaceSource { repository: Some(text(path)), ..WorkspaceSource::default() }
}

/// The source of a folder.
pub(crate) fn folder_source(path: &Path) -> WorkspaceSource {
    WorkspaceSource { directory: Some(text(path)), ..WorkspaceSource::default() }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("a path of UTF-8").to_owned()
}

/// Runs a script as a person or an agent would, and returns what it writes.
pub(crate) fn run(folder: &Path, script: &str) -> String {
    let (is_success, output) = try_run(folder, script);
    assert!(is_success, "{script}: {output}");
    output
}

/// Runs a script that may fail.
pub(crate) fn try_run(folder: &Path, script: &str) -> (bool, String) {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(folder);
    for name in ["GIT_AUTHOR", "GIT_COMMITTER"] {
        command.env(format!("{name}_NAME"), "Test").env(format!("{name}_EMAIL"), "test@example.com");
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    let output = command.output().expect("a shell");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).trim_end().to_owned())
}

pub(crate) fn commit(folder: &Path, message: &str) -> String {
    run(folder, &format!("git add -A && git commit -q --allow-empty -m {message} && git rev-parse HEAD"))
}

/// The changed paths of collected work, sorted.
pub(crate) fn changed(work: &CollectedWork) -> Vec<String> {
    let mut paths: Vec<_> = work.changed.iter().map(|one| one.path.to_string_lossy().into_owned()).collect();
    paths.sort();
    paths
}

/// Asserts that two folders have the same files, links and modes, without their repositories.
pub(crate) fn assert_same_files(one: &Path, other: &Path) {
    let list = "find . -name .git -prune -o ! -type d -printf '%P %y %m %l\\n' | LC_ALL=C sort; \
        find . -name .git -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum";
    assert_eq!(run(one, list), run(other, list));
}
