//! The settings of workspaces.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// The author of commits where this machine's git has none.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CommitIdentity {
    /// The name of a person or a program.
    pub name: String,
    /// The address, which need not exist.
    pub email: String,
}

impl Default for CommitIdentity {
    fn default() -> Self {
        Self { name: "ioc agent".to_owned(), email: "agent@ioc.invalid".to_owned() }
    }
}

/// The user that agents run as, where that is not the user of the runner. Only a runner that is root may set one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// Its group; it may read mirrors.
    pub gid: u32,
}

/// What a workspace may take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkspaceLimits {
    /// The largest file that is collected, in bytes.
    pub file_bytes: u64,
    /// The most bytes of changed files that are collected in all.
    pub total_bytes: u64,
    /// The longest that one git call on this machine may take.
    pub local_call: Duration,
    /// The longest that one call to a remote may take, and the longest wait for a mirror that another session fetches.
    pub remote_call: Duration,
    /// The most submodules of a workspace, nested ones included; others stay empty.
    pub submodules: usize,
}

impl Default for WorkspaceLimits {
    fn default() -> Self {
        Self {
            file_bytes: 10 << 20,
            total_bytes: 64 << 20,
            local_call: Duration::from_mins(5),
            remote_call: Duration::from_mins(30),
            submodules: 64,
        }
    }
}

/// The settings of workspaces.
#[derive(Clone, Debug, Default)]
pub struct WorkspaceSettings {
    /// The variables of the runner's process, which git's calls to remotes inherit: credentials, proxies, the location
    /// of git's configuration. Calls on this machine get `PATH` only.
    pub environment: BTreeMap<OsString, OsString>,
    /// The folders from which sessions may take files, by `directory` or by a URL with `file:`. Nothing else is
    /// readable through a source. Empty: none.
    pub permitted_folders: Vec<PathBuf>,
    /// Whether repositories may be fetched by `http:`, where others on the network can read and change them.
    pub plain_http: bool,
    /// The user of the agents; none: the runner's own.
    pub owner: Option<Owner>,
    /// The author of commits where this machine's git has none.
    pub identity: CommitIdentity,
    /// What a workspace may take.
    pub limits: WorkspaceLimits,
}

/// Variables of git that choose a credential, a transport or the machine's configuration. All others could redirect a
/// call to another repository or make it write traces.
const GIT_VARIABLES: [&str; 12] = [
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_KEY_",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_VALUE_",
    "GIT_EXEC_PATH",
    "GIT_HTTP_",
    "GIT_PROXY_",
    "GIT_SSH",
    "GIT_SSL_",
    "GIT_SSH_COMMAND",
];

impl WorkspaceSettings {
    /// The defaults with the variables of this process.
    pub fn of_process() -> Self {
        Self { environment: std::env::vars_os().collect(), ..Self::default() }
    }

    /// The variables for calls to remotes.
    pub(super) fn remote_variables(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.environment.iter().filter(|(name, _)| {
            let name = name.as_bytes();
            !name.starts_with(b"GIT_") || GIT_VARIABLES.iter().any(|known| name.starts_with(known.as_bytes()))
        })
    }

    /// One variable.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(OsStr::new(name)).map(OsString::as_os_str)
    }
}
