//! What we remember of a run between two calls: small, and complete enough that no call needs another's memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    agents::contract::RunState,
    kernel::{
        clock::Time,
        failure::{Category, Failure},
    },
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// OpenCode's id of the session.
    pub(super) session: String,
    /// Where the agent works, and the root of the worktree that it is in.
    pub(super) directory: String,
    pub(super) worktree: String,
    pub(super) base: String,
    pub(super) repository: String,
    /// The newest message of ours: the run ends when that is answered.
    pub(super) anchor: String,
    /// Whether it was seen to be stored.
    pub(super) admitted: bool,
    /// How often it was posted again.
    pub(super) reposts: u8,
    /// How often the agent was told to go on after its server was interrupted.
    pub(super) continues: u8,
    /// A sight that may be passing, and since when we see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) doubt: Option<Doubt>,
    pub(super) cursor: Cursor,
    /// Answers to a request that asks several questions, until all are there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) answers: BTreeMap<String, Vec<Vec<String>>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Doubt {
    pub(super) since: Time,
    pub(super) sight: String,
}

/// How far the transcript was told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// Everything up to this message.
    pub(super) done: String,
    /// Parts of the messages after it, with the state that was told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) parts: BTreeMap<String, u8>,
    /// How many turns changed files, and the last message that counted as one.
    pub(super) turns: u32,
    pub(super) counted: String,
}

impl State {
    /// Reads what [`State::write`] wrote; absent when it is of another kind or empty.
    pub(super) fn read(state: &RunState) -> Option<Self> {
        serde_json::from_value::<Self>(state.0.clone()).ok().filter(|state| !state.session.is_empty())
    }

    pub(super) fn required(state: &RunState) -> Result<Self, Failure> {
        let unreadable = || Failure::new(Category::Internal, "RUN_STATE", "The run's state is not OpenCode's.");
        Self::read(state).ok_or_else(unreadable)
    }

    pub(super) fn write(&self) -> Result<RunState, Failure> {
        serde_json::to_value(self)
            .map(RunState)
            .map_err(|error| Failure::new(Category::Internal, "RUN_STATE", error.to_string()))
    }
}
