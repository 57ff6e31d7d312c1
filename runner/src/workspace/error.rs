//! The error of workspaces: a stable code, a category, and a message for people.

use std::{fmt, io, path::Path};

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorCategory {
    /// The input is wrong.
    User,
    /// A rule of this machine forbids it.
    Policy,
    /// A credential is missing or refused.
    Auth,
    /// The agent made it impossible.
    Agent,
    /// It may succeed when tried again.
    Transient,
    /// A fault of the runner or its machine.
    Internal,
}

impl ErrorCategory {
    /// The name in messages of the control plane, such as `user`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Policy => "policy",
            Self::Auth => "auth",
            Self::Agent => "agent",
            Self::Transient => "transient",
            Self::Internal => "internal",
        }
    }
}

/// What went wrong with a workspace.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct WorkspaceError {
    code: &'static str,
    category: ErrorCategory,
    message: String,
}

impl fmt::Display for WorkspaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl WorkspaceError {
    /// The remote wants a credential that git on this machine does not have.
    pub const AUTHENTICATION_REQUIRED: &'static str = "WORKSPACE_AUTHENTICATION_REQUIRED";
    /// There is no repository at that address.
    pub const REPOSITORY_NOT_FOUND: &'static str = "WORKSPACE_REPOSITORY_NOT_FOUND";
    /// The repository has no such branch, tag or commit.
    pub const REFERENCE_UNKNOWN: &'static str = "WORKSPACE_REFERENCE_UNKNOWN";
    /// The remote cannot be reached.
    pub const NETWORK: &'static str = "WORKSPACE_NETWORK";
    /// A git call exceeded its time limit, or a mirror stayed locked.
    pub const TIMEOUT: &'static str = "WORKSPACE_TIMEOUT";
    /// The source is not well-formed.
    pub const SOURCE_INVALID: &'static str = "WORKSPACE_SOURCE_INVALID";
    /// The source is not permitted on this machine.
    pub const SOURCE_FORBIDDEN: &'static str = "WORKSPACE_SOURCE_FORBIDDEN";
    /// The directory does not exist.
    pub const DIRECTORY_MISSING: &'static str = "WORKSPACE_DIRECTORY_MISSING";
    /// The patch of the earlier run does not apply to the source.
    pub const PATCH_REFUSED: &'static str = "WORKSPACE_PATCH_REFUSED";
    /// The disk is full.
    pub const DISK_FULL: &'static str = "WORKSPACE_DISK_FULL";
    /// The work tree is not there any more.
    pub const WORK_TREE_MISSING: &'static str = "WORKSPACE_WORK_TREE_MISSING";
    /// Git failed in a way that is not expected.
    pub const GIT_FAILED: &'static str = "WORKSPACE_GIT_FAILED";
    /// Files of the runner cannot be read or written.
    pub const FILES_FAILED: &'static str = "WORKSPACE_FILES_FAILED";

    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        use ErrorCategory::{Agent, Auth, Internal, Policy, Transient, User};
        let category = match code {
            Self::AUTHENTICATION_REQUIRED => Auth,
            Self::REPOSITORY_NOT_FOUND
            | Self::REFERENCE_UNKNOWN
            | Self::SOURCE_INVALID
            | Self::DIRECTORY_MISSING
            | Self::PATCH_REFUSED => User,
            Self::SOURCE_FORBIDDEN => Policy,
            Self::NETWORK | Self::TIMEOUT | Self::DISK_FULL => Transient,
            Self::WORK_TREE_MISSING => Agent,
            _ => Internal,
        };
        Self { code, category, message: message.into() }
    }

    pub(super) fn of_files(path: &Path, error: &io::Error) -> Self {
        let code = if error.kind() == io::ErrorKind::StorageFull { Self::DISK_FULL } else { Self::FILES_FAILED };
        Self::new(code, format!("{}: {error}", path.display()))
    }

    /// The stable code, such as `WORKSPACE_NETWORK`.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Who can do something about it.
    pub const fn category(&self) -> ErrorCategory {
        self.category
    }

    /// A description for people, without credentials.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Names the path in an error of the file system.
pub(super) trait NamePath<T> {
    fn name_path(self, path: &Path) -> Result<T, WorkspaceError>;
}

impl<T> NamePath<T> for io::Result<T> {
    fn name_path(self, path: &Path) -> Result<T, WorkspaceError> {
        self.map_err(|error| WorkspaceError::of_files(path, &error))
    }
}
