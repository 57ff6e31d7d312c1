//! Why a sandbox could not be made.

use std::{io, path::PathBuf};

/// A failure to make or to prepare a sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The machine cannot isolate an agent; the text contains the remedy.
    #[error("no sandbox can be made: {0}")]
    Unavailable(String),
    /// The sandbox was not started, because an operation of the system failed.
    #[error("the sandbox cannot be started: {action} failed: {source}")]
    Start {
        /// What was tried, with its path.
        action: String,
        /// The error of the system.
        source: io::Error,
    },
    /// A file of the work tree is a hard link of a file elsewhere, which the agent could then change.
    #[error("{path} is linked from outside of the work tree, so the agent could change the other file")]
    SharedFile {
        /// The file in the work tree.
        path: PathBuf,
    },
}

impl SandboxError {
    /// The stable code of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "SANDBOX_UNAVAILABLE",
            Self::Start { .. } => "SANDBOX_START_FAILED",
            Self::SharedFile { .. } => "WORK_TREE_SHARED",
        }
    }

    /// The category of the failure, as outcomes of sessions name it.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "policy",
            Self::Start { .. } | Self::SharedFile { .. } => "internal",
        }
    }

    pub(super) fn of_start(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Start { action, source }
    }
}
