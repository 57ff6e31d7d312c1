//! The isolation of an agent: one bubblewrap sandbox per session, without network, gone at the end.
//!
//! The only connections out of a sandbox are Unix sockets of the session: its model gateway and its proxy. Inside,
//! [`run_inside`] is the first program: it forwards ports of the sandbox's own loopback to them and starts the agent.
//!
//! Two methods lead to the same sandbox. A runner with a user of its own makes a user namespace. A runner that is root
//! makes none at first, because uid 0 outside would stand behind every uid inside: bubblewrap then keeps `CAP_SETUID`
//! and `CAP_SETGID` only until [`run_inside`] has become the agent's user, which makes the user namespace.
//!
//! Where no sandbox can be made, an agent can be started as a plain process, with less isolation and the same limits.

mod command;
mod ending;
mod environment;
mod error;
mod forward;
mod inside;
mod isolation;
mod launcher;
mod measurement;
mod method;
mod open_files;
mod output;
mod ownership;
mod ports;
mod process_command;
mod process_tree;
mod refusal;
mod running;
mod spec;
mod system_calls;
mod system_files;
mod user;

pub use command::sandboxed_command;
pub use error::SandboxError;
pub use inside::run_inside;
pub use isolation::{Enforcement, IsolationReport, LimitReport, SandboxPrograms, choose_method, probe_isolation};
pub use launcher::spawn_from_lasting_thread;
pub use measurement::{ExceededLimit, LimitKind, ResourceUsage};
pub use method::{Bubblewrap, IdentityMethod, Isolation, IsolationMethod, PlainProcess};
pub use output::ErrorOutput;
pub use ownership::{grant_session_folders, grant_work_tree, reclaim_work_tree};
pub use ports::SessionPorts;
pub use running::{RunningSandbox, SandboxEnd};
pub use spec::{AgentProgram, LoopbackPort, SandboxLimits, SandboxSpec};
pub use user::{AgentUser, AgentUserLease, AgentUserPool};
