//! One admission at a time for each agent in this process, because others would only wait for the same locks.
//!
//! Nothing is decided by the gate. The locks in Postgres hold every limit, also between processes.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::kernel::id::AgentId;

/// The agents on which an admission is under way, and whether another was requested meanwhile.
#[derive(Default)]
pub(crate) struct AdmissionGate(Mutex<HashMap<AgentId, bool>>);

/// The right to admit on an agent, until it is dropped.
pub(crate) struct AdmissionPermit<'a> {
    gate: &'a AdmissionGate,
    agent: AgentId,
    released: AtomicBool,
}

impl AdmissionGate {
    /// Whether no admission is under way on any agent.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock_entries().is_empty()
    }

    /// `None`: an admission is under way there, and will read the queue once more before it ends.
    pub(crate) fn try_enter(&self, agent: AgentId) -> Option<AdmissionPermit<'_>> {
        match self.lock_entries().entry(agent) {
            Entry::Occupied(mut requested) => {
                requested.insert(true);
                None
            }
            Entry::Vacant(free) => {
                free.insert(false);
                Some(AdmissionPermit { gate: self, agent, released: AtomicBool::new(false) })
            }
        }
    }

    fn lock_entries(&self) -> MutexGuard<'_, HashMap<AgentId, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AdmissionPermit<'_> {
    /// Releases the permit and returns true, unless another admission was requested meanwhile.
    pub(crate) fn try_release(&self) -> bool {
        let mut agents = self.gate.lock_entries();
        let requested = agents.get_mut(&self.agent).is_some_and(std::mem::take);
        if !requested {
            agents.remove(&self.agent);
            self.released.store(true, Ordering::Relaxed);
        }
        !requested
    }
}

impl Drop for AdmissionPermit<'_> {
    fn drop(&mut self) {
        // After a release, the entry may belong to the next admission.
        if !self.released.load(Ordering::Relaxed) {
            self.gate.lock_entries().remove(&self.agent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_during_an_admission_is_served_before_it_ends() {
        let (gate, agent) = (AdmissionGate::default(), AgentId::new());
        let first = gate.try_enter(agent).unwrap();
        assert!(gate.try_enter(agent).is_none());
        assert!(!first.try_release());
        assert!(gate.try_enter(AgentId::new()).is_some());
        drop(first);
        assert!(gate.try_enter(agent).unwrap().try_release());
    }
}
