//! The users as which agents run where the runner is root: one for each session at a time.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::process_tree::{read_processes, read_user};

/// The user as which an agent runs when the runner is root. Never uid 0.
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

/// The users of a runner that is root. Sessions that run at the same time get different ones: file permissions separate
/// them then, and the kernel counts processes per user (`RLIMIT_NPROC`), so that no session takes those of another.
///
/// All users have one group, which may read mirrors.
#[derive(Clone, Debug)]
pub struct AgentUserPool {
    first: AgentUser,
    taken: Arc<Mutex<BTreeSet<u32>>>,
}

/// The user of one session, which is free again when this is dropped.
#[derive(Debug)]
pub struct AgentUserLease {
    user: AgentUser,
    taken: Arc<Mutex<BTreeSet<u32>>>,
}

impl AgentUserPool {
    /// The users from `first.uid` upwards, all with the group of the first.
    pub fn new(first: AgentUser) -> Self {
        Self { first, taken: Arc::default() }
    }

    /// Takes the lowest user that no session has and as which no process runs: another runner of this machine may use
    /// the same numbers.
    pub fn acquire(&self) -> AgentUserLease {
        let busy = read_busy_users();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = |uid: &u32| !taken.contains(uid) && !busy.contains(uid);
        let uid = (self.first.uid..u32::MAX).find(is_free).unwrap_or(self.first.uid);
        taken.insert(uid);
        AgentUserLease { user: AgentUser { uid, gid: self.first.gid }, taken: Arc::clone(&self.taken) }
    }
}

impl AgentUserLease {
    /// The user.
    pub fn user(&self) -> AgentUser {
        self.user
    }
}

impl Drop for AgentUserLease {
    fn drop(&mut self) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.user.uid);
    }
}

/// The users as which processes of this machine run.
fn read_busy_users() -> BTreeSet<u32> {
    read_processes().iter().filter_map(|process| read_user(process.pid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_at_the_same_time_have_different_users_and_a_freed_one_returns() {
        let pool = AgentUserPool::new(AgentUser { uid: 4_000_000_000, gid: 4_000_000_000 });
        let (one, two) = (pool.acquire(), pool.acquire());
        assert_eq!((one.user().uid, two.user().uid), (4_000_000_000, 4_000_000_001));
        assert_eq!(two.user().gid, one.user().gid);
        drop(one);
        assert_eq!(pool.acquire().user().uid, 4_000_000_000);
    }

    #[test]
    fn a_user_as_which_a_process_runs_is_skipped() {
        let own = nix::unistd::geteuid().as_raw();
        let pool = AgentUserPool::new(AgentUser { uid: own, gid: own });
        assert_ne!(pool.acquire().user().uid, own);
    }
}
