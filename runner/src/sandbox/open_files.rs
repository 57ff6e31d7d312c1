//! Bytes that a walk over folders does not find: deleted files that are still open, and files in memory.

use std::{collections::HashSet, fs, os::unix::fs::MetadataExt, path::Path};

use super::process_tree::ProcessStat;

/// The bytes of files without a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NamelessBytes {
    /// In memory (`memfd_create`).
    pub(super) memory: u64,
    /// On the given devices.
    pub(super) disk: u64,
}

/// Adds up what the processes hold open; `devices` are those of the work tree and HOME.
pub(super) fn measure_nameless_files(processes: &[ProcessStat], devices: &[u64]) -> NamelessBytes {
    let mut seen = HashSet::new();
    let mut bytes = NamelessBytes::default();
    for process in processes {
        let folder = format!("/proc/{}/fd", process.pid);
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            add_nameless_file(&entry.path(), devices, &mut seen, &mut bytes);
        }
    }
    bytes
}

fn add_nameless_file(link: &Path, devices: &[u64], seen: &mut HashSet<(u64, u64)>, bytes: &mut NamelessBytes) {
    let Ok(target) = fs::read_link(link) else { return };
    if !target.as_os_str().as_encoded_bytes().ends_with(b" (deleted)") {
        return;
    }
    let Ok(metadata) = fs::metadata(link) else { return };
    if !seen.insert((metadata.dev(), metadata.ino())) {
        return;
    }
    let size = metadata.blocks() * 512;
    if target.as_os_str().as_encoded_bytes().starts_with(b"/memfd:") {
        bytes.memory += size;
    } else if devices.contains(&metadata.dev()) {
        bytes.disk += size;
    }
}
