//! The sandbox of an agent process: one bubblewrap sandbox per session, without network, gone at the end.
//!
//! The only connection out of a sandbox is the Unix socket of the session's model gateway. Inside, [`run_inside`] is
//! the first program: it forwards a port of the sandbox's own loopback to that socket and then starts the agent.
//!
//! Two methods lead to the same sandbox. A runner with a user of its own makes a user namespace. A runner that is root
//! makes none at first, because uid 0 outside would stand behind every uid inside: bubblewrap then keeps `CAP_SETUID`
//! and `CAP_SETGID` only until [`run_inside`] has become the agent's user, which makes the user namespace.

mod command;
mod error;
mod inside;
mod isolation;
mod launcher;
mod measurement;
mod open_files;
mod output;
mod ownership;
mod process_tree;
mod refusal;
mod running;
mod spec;
mod system_files;

pub use command::sandboxed_command;
pub use error::SandboxError;
pub use inside::run_inside;
pub use isolation::{
    Bubblewrap, Enforcement, IdentityMethod, Isolation, IsolationReport, LimitReport, SandboxPrograms, probe_isolation,
};
pub use launcher::spawn_from_lasting_thread;
pub use measurement::{ExceededLimit, LimitKind, ResourceUsage};
pub use output::ErrorOutput;
pub use ownership::{grant_session_folders, grant_work_tree, reclaim_work_tree};
pub use running::{RunningSandbox, SandboxEnd};
pub use spec::{AgentProgram, AgentUser, SandboxLimits, SandboxSpec};
