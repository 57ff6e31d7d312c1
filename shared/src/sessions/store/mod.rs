//! SQL of sessions and what belongs to them. Decides nothing.

mod admission;
mod file_removals;
mod found;
mod list;
mod log;
mod related_rows;
mod results;
mod row;
mod save;
mod session_rows;
mod spawned;
mod start;
pub mod statement;
mod stored_bytes;
mod suspension;
mod undelivered;
mod workspace_releases;

pub(in crate::sessions) use self::session_rows::{
    InsertOptions, InsertRefusal, insert_and_find, insert_statement, parse_refusal,
};
pub use self::{
    admission::{
        AgentSelector, AwaitedAgents, DispatchState, awaited_agents, dispatch_state, lock_with_snapshot, next_in_queue,
    },
    file_removals::{delete_file_removal, due_file_removals, schedule_file_removal},
    found::FoundSession,
    list::{SessionFilter, SessionPage, Stats, count_stats, find_all, list},
    log::{SessionLogPage, list_events},
    related_rows::{
        Artifact, Checkpoint, CheckpointOrigin, TreeNode, find_artifact, find_checkpoint, has_agent_spoken,
        list_artifacts, list_checkpoints, list_files, read_tree, save_artifacts,
    },
    save::{save_and_find, save_change},
    session_rows::{
        ANY_AGENT, ClaimedSession, ParentPosition, add_child, claim_session, delete, find_session, is_due,
        lock_session, release_failed_step, renew_lease, waiting_children,
    },
    spawned::{SpawnKey, SpawnRecord, find_spawned, insert_spawned},
    start::{StartCandidate, StartCondition, find_start_candidate, parse_start_refusal, start_and_find},
    stored_bytes::count_stored,
    suspension::{sessions_to_resume, sessions_to_suspend, suspended_sessions},
    undelivered::count_undelivered,
    workspace_releases::{
        PendingRelease, claim_workspace_release, delete_workspace_release, postpone_workspace_release,
        schedule_workspace_releases,
    },
};
