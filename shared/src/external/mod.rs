//! The External Agent Protocol 1.0: programs outside of the platform that register, prove that they are alive, and get
//! work pushed or pull it. `docs/external-agent-protocol.md` tells it to those who write agents.
//!
//! What they send is parsed in [`registration`], [`report`] and [`result`] (pure); [`service`] takes it in; [`tasks`] is the other
//! side, where the runtime writes tasks down and looks at them; [`sign`] signs what we push.

pub mod bell;
pub mod registration;
pub mod report;
pub mod result;
pub mod service;
pub mod sign;
pub mod store;
pub mod task;
pub mod tasks;

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::id::{ExternalTaskId, SessionId};

/// The version of the protocol that is spoken here.
pub const VERSION: &str = "1.0";

/// How often an agent beats its heart when nothing else is configured.
pub const BEAT: Duration = Duration::from_secs(30);

/// How many beats may be missed until an agent gets no new work, and until its work goes elsewhere.
pub const SUSPECT_AFTER: u32 = 2;
pub const OFFLINE_AFTER: u32 = 4;

/// How often one task is leased or pushed before it is given up.
pub const MAX_GRANTS: i32 = 3;

/// How many tasks are claimed at once, and how long a claim waits for one, at most.
pub const MAX_CLAIM: i32 = 10;
pub const MAX_WAIT: Duration = Duration::from_secs(20);

/// The largest result, in bytes, its artifacts included.
pub const MAX_RESULT: usize = 10 * 1024 * 1024;

/// How many artifacts a result may bring.
pub const MAX_ARTIFACTS: usize = 200;

/// How long a lease lasts unless a report renews it: as long as an agent may be silent before it counts as lost.
pub fn lease(beat: Duration) -> Duration {
    beat * OFFLINE_AFTER
}

/// The id of the task that a run of a session is: the same however often it is handed over.
pub fn task_id(session_id: SessionId, run: i32) -> ExternalTaskId {
    let mut hash = Sha256::new();
    hash.update(b"external task\0");
    hash.update(session_id.0.as_bytes());
    hash.update(run.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    ExternalTaskId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_task_follows_from_its_session_and_run_alone() {
        let (one, other) = (SessionId::new(), SessionId::new());
        assert_eq!(task_id(one, 1), task_id(one, 1));
        assert_ne!(task_id(one, 1), task_id(one, 2));
        assert_ne!(task_id(one, 1), task_id(other, 1));
    }
}
