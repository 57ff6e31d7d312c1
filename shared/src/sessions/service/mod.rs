//! The use cases of sessions that concern no other aggregate: creating and reading them. The commands that drive a
//! session stand in the engine, because each may free what other sessions wait for.

mod create;
mod read;
pub mod spawn;
pub mod storage;
mod wait;
mod waits;

pub(crate) use self::create::{lock_queue, outdated_error};
pub use self::{
    create::{Fork, create, create_continuation, fork_session},
    read::{
        artifact_content, artifact_url, get, get_artifact, get_diff, get_stats, get_tree, list, list_artifacts,
        list_checkpoints, list_events,
    },
    wait::wait_until,
};
