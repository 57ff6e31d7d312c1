//! Measures what a sandbox uses, and compares it with the limits.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use nix::sys::statvfs::statvfs;

use super::{
    method::Isolation,
    open_files::measure_nameless_files,
    process_tree::{
        ProcessStat, find_descendants, read_processes, read_proportional_bytes, read_resident_bytes, to_milliseconds,
    },
    spec::{SandboxLimits, SandboxSpec},
};

/// What a directory entry costs besides its content, in bytes: many empty files fill a disk as well.
const ENTRY_BYTES: u64 = 256;
/// After a walk over the folders, the next waits at least this many times as long as the walk took.
const WALK_PAUSE_FACTOR: u32 = 10;

/// The largest page of memory that Linux uses, to which sizes are rounded.
const PAGE_BYTES: u64 = 64 * 1024;

/// The processes that are not the agent's: in a sandbox at most two of bubblewrap and our own first program. Without
/// one only our own, which does not count as a process below itself.
const fn own_processes(isolation: Isolation) -> u64 {
    if matches!(isolation, Isolation::Sandbox) { 3 } else { 0 }
}

/// How long the sampler waits between two measurements.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// What the processes of a sandbox use together, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    /// Resident memory with shared pages counted once, and files in memory, in bytes.
    pub memory_bytes: u64,
    /// Processes.
    pub processes: u64,
    /// Threads of all processes; each process has at least one.
    pub threads: u64,
    /// Processor time since the start, in milliseconds.
    pub cpu_milliseconds: u64,
    /// Disk of the work tree and HOME, in bytes.
    pub workspace_bytes: u64,
}

/// A limit of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// `memory_bytes`.
    Memory,
    /// `processes`.
    Processes,
    /// `workspace_bytes`.
    Workspace,
}

/// A limit that a sandbox has exceeded, for which it was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExceededLimit {
    /// The limit.
    pub kind: LimitKind,
    /// What was measured, in the unit of the limit.
    pub observed: u64,
    /// What is allowed, in the unit of the limit.
    pub allowed: u64,
}

/// The first limit that is exceeded.
pub(super) fn find_exceeded(usage: &ResourceUsage, limits: &SandboxLimits) -> Option<ExceededLimit> {
    let all = [
        (LimitKind::Memory, usage.memory_bytes, limits.memory_bytes),
        (LimitKind::Processes, usage.threads, limits.processes),
        (LimitKind::Workspace, usage.workspace_bytes, limits.workspace_bytes),
    ];
    let exceeded = all.into_iter().find(|(_, observed, allowed)| observed > allowed);
    exceeded.map(|(kind, observed, allowed)| ExceededLimit { kind, observed, allowed })
}

/// Measures one sandbox again and again.
#[derive(Debug)]
pub(super) struct Sampler {
    outer: i32,
    own_processes: u64,
    limits: SandboxLimits,
    folders: [PathBuf; 2],
    devices: Vec<u64>,
    walked_bytes: u64,
    next_walk: Option<Instant>,
}

impl Sampler {
    /// `outer` is the process of bubblewrap outside of the sandbox, or our own program where there is none.
    pub(super) fn new(outer: i32, spec: &SandboxSpec) -> Self {
        let folders = [spec.work_tree.clone(), spec.home.clone()];
        let devices = folders.iter().filter_map(|folder| Some(fs::metadata(folder).ok()?.dev())).collect();
        let own_processes = own_processes(spec.isolation);
        Self { outer, own_processes, limits: spec.limits, folders, devices, walked_bytes: 0, next_walk: None }
    }

    /// Reads `/proc` and, not more often than its size bears, the folders. Blocks.
    pub(super) fn measure(&mut self) -> ResourceUsage {
        let tree = find_descendants(&read_processes(), self.outer);
        let first = tree.iter().find(|process| process.parent == self.outer);
        // Our own programs have one thread each.
        let (processes, threads) = (tree.len() as u64, tree.iter().map(|process| process.threads).sum::<u64>());
        let nameless = measure_nameless_files(&tree, &self.devices);
        let in_memory =
            nameless.memory + first.map_or(0, |process| temporary_bytes(process.pid, self.limits.temporary_bytes));
        ResourceUsage {
            memory_bytes: self.process_memory(&tree, in_memory) + in_memory,
            processes: processes.saturating_sub(self.own_processes),
            threads: threads.saturating_sub(self.own_processes),
            cpu_milliseconds: to_milliseconds(tree.iter().map(|process| process.ticks).sum()),
            workspace_bytes: self.folder_bytes() + nameless.disk,
        }
    }

    /// The proportional size costs the kernel a walk over all pages, so it is read only where the resident size, which
    /// is never smaller, is above the limit.
    fn process_memory(&self, tree: &[ProcessStat], besides: u64) -> u64 {
        let resident = tree.iter().map(|process| read_resident_bytes(process.pid)).sum();
        if resident + besides <= self.limits.memory_bytes {
            return resident;
        }
        let proportional = |pid| read_proportional_bytes(pid).unwrap_or_else(|| read_resident_bytes(pid));
        tree.iter().map(|process| proportional(process.pid)).sum()
    }

    fn folder_bytes(&mut self) -> u64 {
        let started = Instant::now();
        if self.next_walk.is_none_or(|next| started >= next) {
            self.walked_bytes = measure_folders(&self.folders, self.limits.workspace_bytes);
            self.next_walk = Some(Instant::now() + started.elapsed() * WALK_PAUSE_FACTOR);
        }
        self.walked_bytes
    }
}

/// The bytes in the sandbox's file systems in memory. The tree has its own view of files under `/proc/PID/root`.
///
/// That is the machine's until bubblewrap has made the sandbox, so only file systems of the expected size count.
fn temporary_bytes(first_process: i32, size: u64) -> u64 {
    let used = |folder: &str| {
        let inner = format!("/proc/{first_process}/root/{folder}");
        let device = |path: &str| fs::metadata(path).ok().map(|metadata| metadata.dev());
        let system = statvfs(inner.as_str()).ok()?;
        let is_ours = system.blocks() * system.fragment_size() <= size.next_multiple_of(PAGE_BYTES)
            && device(&inner) != device(&format!("/{folder}"));
        is_ours.then(|| (system.blocks() - system.blocks_free()) * system.fragment_size())
    };
    ["tmp", "var/tmp", "dev/shm"].into_iter().filter_map(used).sum()
}

/// The disk that folders occupy; ends early above the limit. Symbolic links are not followed, and hard links count
/// once.
pub(super) fn measure_folders(folders: &[PathBuf], limit: u64) -> u64 {
    let (mut bytes, mut linked, mut next) = (0, HashSet::new(), folders.to_vec());
    while let Some(folder) = next.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
            let Ok(metadata) = entry.metadata() else { continue };
            bytes += ENTRY_BYTES;
            if metadata.is_dir() {
                next.push(entry.path());
            } else if metadata.nlink() > 1 && !linked.insert((metadata.dev(), metadata.ino())) {
                continue;
            }
            bytes += metadata.blocks() * 512;
        }
        if bytes > limit {
            break;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_at_its_limit_is_allowed_and_one_above_is_not() {
        let limits = SandboxLimits { memory_bytes: 10, processes: 5, workspace_bytes: 20, temporary_bytes: 1 };
        let usage = ResourceUsage { memory_bytes: 10, threads: 5, workspace_bytes: 20, ..ResourceUsage::default() };
        assert_eq!(find_exceeded(&usage, &limits), None);
        let exceeded = find_exceeded(&ResourceUsage { workspace_bytes: 21, ..usage }, &limits);
        assert_eq!(exceeded, Some(ExceededLimit { kind: LimitKind::Workspace, observed: 21, allowed: 20 }));
    }

    #[test]
    fn a_folder_counts_hard_links_once_and_follows_no_symbolic_link() {
        let folder = tempfile::tempdir().unwrap();
        let big = tempfile::tempdir().unwrap();
        fs::write(big.path().join("big"), vec![1; 1_000_000]).unwrap();
        std::os::unix::fs::symlink(big.path(), folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("one"), vec![1; 100_000]).unwrap();
        fs::hard_link(folder.path().join("one"), folder.path().join("two")).unwrap();
        let bytes = measure_folders(&[folder.path().to_path_buf()], u64::MAX);
        assert!((100_000..150_000).contains(&bytes), "{bytes}");
    }
}
