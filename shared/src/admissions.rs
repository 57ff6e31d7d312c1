//! Who admits on which agent in this process: one at a time, since others would only queue for the same locks.
//!
//! Nothing is decided by it. The locks in Postgres hold every limit, also between processes.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::id::AgentId;

/// The agents on which somebody admits, and whether somebody else asked for it meanwhile.
#[derive(Default)]
pub(crate) struct Admissions(Mutex<HashMap<AgentId, bool>>);

/// The right to admit on an agent; dropped, it is given back.
pub(crate) struct Admitting<'a> {
    all: &'a Admissions,
    agent: AgentId,
    ended: AtomicBool,
}

impl Admissions {
    /// Whether nobody admits on any agent.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().is_empty()
    }

    /// `None` when somebody admits there already, who will then look once more before the end.
    pub(crate) fn begin(&self, agent: AgentId) -> Option<Admitting<'_>> {
        match self.lock().entry(agent) {
            Entry::Occupied(mut asked) => {
                asked.insert(true);
                None
            }
            Entry::Vacant(free) => {
                free.insert(false);
                Some(Admitting { all: self, agent, ended: AtomicBool::new(false) })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitting<'_> {
    /// Ends it, unless somebody asked meanwhile: then it is to look once more.
    pub(crate) fn end(&self) -> bool {
        let mut all = self.all.lock();
        let asked = all.get_mut(&self.agent).is_some_and(std::mem::take);
        if !asked {
            all.remove(&self.agent);
            self.ended.store(true, Ordering::Relaxed);
        }
        !asked
    }
}

impl Drop for Admitting<'_> {
    fn drop(&mut self) {
        // Once it has ended, another may have begun.
        if !self.ended.load(Ordering::Relaxed) {
            self.all.lock().remove(&self.agent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_while_another_admits_is_seen_to_before_that_one_ends() {
        let (admissions, agent) = (Admissions::default(), AgentId::new());
        let first = admissions.begin(agent).unwrap();
        assert!(admissions.begin(agent).is_none());
        assert!(!first.end());
        assert!(admissions.begin(AgentId::new()).is_some());
        drop(first);
        assert!(admissions.begin(agent).unwrap().end());
    }
}
