//! The External Agent Protocol 1.1: external programs register, send heartbeats, and receive tasks by push or pull. 1.1
//! adds phases and batches to reports, and changes nothing of 1.0.
//! `docs/external-agent-protocol.md` is the guide for authors of agents.
//!
//! [`registration`], [`report`] and [`result`] parse what agents send (pure); [`service`] holds the use cases of
//! agents, [`artifacts`] those of the files that they produce, and [`secrets`] that of the secrets that they receive;
//! [`lease`] checks calls that act for the session of a task; [`tasks`] is the side of the runtime, which creates and
//! reads tasks; [`sign`] signs pushes.

pub mod artifacts;
pub(crate) mod calls;
pub mod claims;
pub mod lease;
pub mod phase;
pub mod registration;
pub mod report;
pub mod reported_failure;
pub mod result;
pub mod result_artifacts;
pub mod run_progress;
pub mod runner_signals;
pub mod secrets;
pub mod service;
pub mod sign;
pub mod store;
pub mod task;
pub mod task_notifier;
pub mod task_waiters;
pub mod tasks;
mod uploads;

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::kernel::id::{ExternalTaskId, SessionId};

/// The newest version of the protocol, and all that are spoken.
pub const VERSION: &str = "1.1";
pub const VERSIONS: [&str; 2] = ["1.0", VERSION];

/// The default interval of heartbeats.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);

/// How many heartbeats may be missed until an agent gets no new work, and until its work is reassigned.
pub const SUSPECT_AFTER: u32 = 2;
pub const OFFLINE_AFTER: u32 = 4;

/// How often a runner sends a heartbeat, where agents send one in `interval`. Its leases last as long as it may be
/// silent.
pub fn runner_heartbeat_interval(interval: Duration) -> Duration {
    interval / 2
}

/// The most claims of the agent of a pool that wait in one process.
pub const MAX_POOL_CLAIMS: usize = 2000;

/// The most events of one report.
pub const MAX_REPORT_EVENTS: usize = 200;

/// How often a task may be leased or pushed before it counts as lost.
pub const MAX_GRANTS: i32 = 3;

/// The most tasks per claim, and the longest wait of a claim.
pub const MAX_CLAIM: i32 = 10;
pub const MAX_WAIT: Duration = Duration::from_secs(20);

/// The largest result with its artifacts, in bytes.
pub const MAX_RESULT: usize = 10 * 1024 * 1024;

/// The largest artifact in bytes.
pub const MAX_ARTIFACT: usize = 10 * 1024 * 1024;

/// The most bytes that an agent uploads for one task, and the most that all artifacts of a result have.
pub const MAX_ARTIFACT_BYTES: u64 = 64 * 1024 * 1024;

/// How many different files an agent uploads for one task at the most.
pub const MAX_UPLOADS: i32 = 1000;

/// The most artifacts of one result.
pub const MAX_ARTIFACTS: usize = 200;

/// The artifact that contains the work as a patch.
pub const PATCH_PATH: &str = "changes.patch";

/// How long a lease lasts unless a report renews it: as long as an agent may be silent before it counts as lost.
pub fn lease_duration(interval: Duration) -> Duration {
    interval * OFFLINE_AFTER
}

/// The id of the task for a run of a session. It is the same for every dispatch of that run.
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
