//! What a runner has left of its sessions: processes, mounts, sockets and folders.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use nix::unistd::Pid;

/// How many of each there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leftovers {
    pub(super) processes: usize,
    pub(super) mounts: usize,
    pub(super) sockets: usize,
    pub(super) folders: usize,
}

impl Leftovers {
    /// Counts what belongs to sessions of a runner with this data folder. Mirrors are meant to stay.
    pub(super) fn count(runner: Pid, data: &Path) -> Self {
        let name = data.display().to_string();
        let lines_with_data = |path: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines().filter(|line| line.contains(&name)).count()
        };
        let entries = |folder: &str| fs::read_dir(data.join(folder)).map_or(0, Iterator::count);
        Self {
            processes: processes_of(runner, &name).len(),
            mounts: lines_with_data(&format!("/proc/{runner}/mounts")),
            sockets: lines_with_data("/proc/net/unix"),
            folders: entries("runs") + entries("sessions"),
        }
    }

    pub(super) fn total(self) -> usize {
        self.processes + self.mounts + self.sockets + self.folders
    }
}

/// The processes below the runner, and those of other parents whose command names its data folder.
fn processes_of(runner: Pid, data: &str) -> BTreeSet<i32> {
    let ids = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let ids: Vec<i32> = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let parents: BTreeMap<_, _> = ids.iter().filter_map(|id| Some((*id, parent_of(*id)?))).collect();
    let is_below = |id: &i32| {
        let mut above = parents.get(id).copied();
        while let Some(parent) = above {
            if parent == runner.as_raw() {
                return true;
            }
            above = parents.get(&parent).copied();
        }
        false
    };
    let names_data = |id: &i32| {
        let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        *id != runner.as_raw() && String::from_utf8_lossy(&command).contains(data)
    };
    ids.into_iter().filter(|id| is_below(id) || names_data(id)).collect()
}

fn parent_of(id: i32) -> Option<i32> {
    // The name of the program, in parentheses, may have blanks.
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
