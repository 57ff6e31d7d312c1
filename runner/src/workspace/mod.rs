//! Git workspaces: where the files of a session come from, where the agent works on them, and how its work is
//! collected.
//!
//! **Layout** of the data folder: `mirrors/<key>/<generation>.git` (bare, fetched when used), `sessions/<session>/work`
//! (the work tree with a repository of its own, which the sandbox binds), `sessions/<session>/meta` (our own repository
//! of the same work, which the sandbox must not bind), `hooks` (empty).
//!
//! **Trust.** The agent may write anything into its work tree and its `.git`. After a workspace was handed over, we
//! never run git with the agent's `.git`: collecting uses our own repository, index and configuration, so neither hooks
//! nor filters, text conversions, diff drivers, alternates, locks or attributes in the agent's `.git` have an effect.
//! Attributes within the work tree are respected for line ends and encodings; drivers need a configuration, which they
//! do not have. Only calls that speak to a remote read the configuration of this machine, because they need its
//! credentials; they run in a mirror, never in a session's folder.
//!
//! **Users.** A runner that is root passes an [`Owner`]: files of sessions belong to that user, and every git call on
//! them runs as that user, so there is no dubious ownership and nothing of the agent's can run as root. The data folder
//! and its parents must be traversable for that user. Fetches run as the runner itself.
//!
//! **Submodules** are repositories of their own with mirrors of their own; changes within one are part of the patch
//! with their full paths, while the pointer stays at the base. LFS files are pointers, as in a checkout with
//! `GIT_LFS_SKIP_SMUDGE=1`, whether or not this machine has git-lfs: what turns pointers into files would also have to
//! turn the agent's files into pointers, and their content would then be in no patch.
//!
//! **Further repositories** of a session are cloned into folders of its work tree, and collected as submodules are.
//! **Credentials** of a session are for one host each; they reach git by variables of a call, and separate mirrors.
//!
//! Uncommitted changes of a source directory are not part of the workspace, as in a clone.

mod bundle;
mod check_out;
mod collect;
mod continuation;
mod copied_folder;
mod credential;
mod difference;
mod error;
mod files;
mod git;
mod git_call;
mod git_stderr;
mod history;
mod lock;
mod mirror;
mod mirror_generation;
mod normalization;
mod preparation;
mod secret_search;
mod settings;
mod snapshot;
mod source;
mod state;
mod submodules;
mod tree_change;
mod untracked;
mod url;
mod workspaces;

pub use bundle::WorkBundle;
pub use collect::{ChangeKind, ChangedPath, CollectedWork, Workspace};
pub use credential::GitCredential;
pub use error::{ErrorCategory, WorkspaceError};
pub use settings::{CommitIdentity, Owner, WorkspaceLimits, WorkspaceSettings};
pub use snapshot::{OmissionReason, OmittedFile};
pub use source::{AdditionalRepository, WorkspaceSource};
pub use state::WorkspaceWarning;
pub use workspaces::{Workspaces, remove_agents_folder};
