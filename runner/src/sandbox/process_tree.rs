//! The processes of a sandbox as the machine sees them, from `/proc`.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use nix::unistd::{SysconfVar, sysconf};

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessStat {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) threads: u64,
    /// Processor time of the process and of the children for which it has waited, in ticks of the kernel.
    pub(super) ticks: u64,
    /// When it started, in ticks since the start of the machine: a number is used again, but not at the same time.
    pub(super) started: u64,
    /// Whether it has ended, and only its parent has not noticed yet.
    pub(super) is_zombie: bool,
}

/// All processes that can be seen.
pub(super) fn read_processes() -> Vec<ProcessStat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(read_process).collect()
}

pub(super) fn read_process(pid: i32) -> Option<ProcessStat> {
    parse_stat(pid, &String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
}

/// The name of a program may contain spaces and brackets: the fields begin behind the last bracket.
fn parse_stat(pid: i32, text: &str) -> Option<ProcessStat> {
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    let is_zombie = matches!(*fields.first()?, "Z" | "X");
    let parent = fields.get(1)?.parse().ok()?;
    Some(ProcessStat { pid, parent, threads: number(17)?, ticks, started: number(19)?, is_zombie })
}

/// The processes below one, without itself.
///
/// A process whose parent ends becomes a child of the first process of its PID namespace, so the tree stays complete.
pub(super) fn find_descendants(processes: &[ProcessStat], root: i32) -> Vec<ProcessStat> {
    let mut children: HashMap<i32, Vec<&ProcessStat>> = HashMap::new();
    for process in processes {
        children.entry(process.parent).or_default().push(process);
    }
    let (mut found, mut seen, mut next) = (Vec::new(), HashSet::from([root]), vec![root]);
    while let Some(pid) = next.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            // The list was not read at one moment, so a number that was used twice could lead in a circle.
            if seen.insert(child.pid) {
                found.push(**child);
                next.push(child.pid);
            }
        }
    }
    found
}

/// The user as which a process runs. The owner of its folder in `/proc` may be root all the same.
pub(super) fn read_user(pid: i32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The first process of the sandbox's PID namespace: the only child of the outer bubblewrap.
pub(super) fn find_first_process(outer: i32) -> Option<i32> {
    read_processes().into_iter().find(|process| process.parent == outer).map(|process| process.pid)
}

/// Resident memory in bytes; pages that several processes share count for each of them.
pub(super) fn read_resident_bytes(pid: i32) -> u64 {
    let pages = || fs::read_to_string(format!("/proc/{pid}/statm")).ok()?.split(' ').nth(1)?.parse::<u64>().ok();
    pages().unwrap_or(0) * system_value(SysconfVar::PAGE_SIZE, 4096)
}

/// Resident memory in bytes, with the pages that n processes share counted as one nth; none where it is not readable.
pub(super) fn read_proportional_bytes(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Ticks of the kernel in milliseconds.
pub(super) fn to_milliseconds(ticks: u64) -> u64 {
    ticks * 1000 / system_value(SysconfVar::CLK_TCK, 100)
}

fn system_value(name: SysconfVar, default: u64) -> u64 {
    sysconf(name)
        .ok()
        .flatten()
        .and_then(|value| u64::try_from(value).ok())
        .filter(|value| *value > 0)
        .unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_brackets_in_its_name_is_read() {
        let text = "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 5 0 99 1 1";
        let expected = ProcessStat { pid: 7, parent: 3, threads: 5, ticks: 100, started: 99, is_zombie: false };
        assert_eq!(parse_stat(7, text), Some(expected));
    }

    #[test]
    fn a_tree_has_all_descendants_and_ends_in_a_circle() {
        let process = |pid, parent| ProcessStat { pid, parent, threads: 1, ticks: 0, started: 0, is_zombie: false };
        let all = [process(2, 1), process(3, 2), process(4, 3), process(5, 1), process(6, 7), process(7, 6)];
        let mut pids: Vec<_> = find_descendants(&all, 2).iter().map(|one| one.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [3, 4]);
        assert_eq!(find_descendants(&all, 6).len(), 1);
    }
}
