//! How agents are separated from the machine: by a sandbox, or only by a process.

use std::{path::PathBuf, str::FromStr};

use super::user::AgentUser;

/// How well an agent is separated from the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// Nothing separates them.
    None,
    /// A process of its own with a HOME of its own, and as another user if the runner is root. The agent sees the files
    /// of the machine that its user may read, and its network.
    Process,
    /// A sandbox with namespaces of its own and without network.
    Sandbox,
}

impl Isolation {
    /// The name in settings, reports and registrations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Process => "process",
            Self::Sandbox => "sandbox",
        }
    }
}

impl FromStr for Isolation {
    type Err = String;

    /// Reads the isolation that a runner may require. An agent without any is never started.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "process" => Ok(Self::Process),
            "sandbox" => Ok(Self::Sandbox),
            other => Err(format!("{other:?} is no isolation: write sandbox or process")),
        }
    }
}

/// How the user of the agent differs from that of the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityMethod {
    /// The runner's own user (which is not root) in a user namespace.
    UserNamespace {
        /// Whether the agent may make user namespaces of its own, because the kernel does not let us forbid it.
        nested: bool,
    },
    /// Another user than that of the runner, which is root.
    OtherUser {
        /// The user.
        user: AgentUser,
        /// Whether the agent cannot make user namespaces, in which it would have capabilities: a second bubblewrap, as
        /// the agent's user, puts it into one that allows none below. Not where the kernel allows none at all.
        is_confined: bool,
    },
}

impl IdentityMethod {
    /// The user that the agent sees as its own.
    pub fn inner_user(&self) -> AgentUser {
        match self {
            Self::OtherUser { user, .. } => *user,
            Self::UserNamespace { .. } => {
                AgentUser { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
            }
        }
    }
}

/// A bubblewrap that was seen to work, and how to use it.
#[derive(Clone, Debug)]
pub struct Bubblewrap {
    /// The program `bwrap`.
    pub program: PathBuf,
    /// Our own program, which is the first in each sandbox.
    pub runner_program: PathBuf,
    /// How the agent gets its user.
    pub method: IdentityMethod,
}

/// A process without a sandbox.
#[derive(Clone, Debug)]
pub struct PlainProcess {
    /// Our own program, which starts the agent and ends its processes.
    pub runner_program: PathBuf,
    /// The user of the agent if the runner is root, else none: the runner's own.
    pub user: Option<AgentUser>,
}

/// A way to start agents that was seen to work.
#[derive(Clone, Debug)]
pub enum IsolationMethod {
    /// Each in a sandbox.
    Sandbox(Bubblewrap),
    /// Each in a process.
    Process(PlainProcess),
}

impl IsolationMethod {
    /// How well agents are separated.
    pub const fn isolation(&self) -> Isolation {
        match self {
            Self::Sandbox(_) => Isolation::Sandbox,
            Self::Process(_) => Isolation::Process,
        }
    }

    /// The user of the agent, if it is another than that of the runner.
    pub const fn agent_user(&self) -> Option<AgentUser> {
        match self {
            Self::Sandbox(Bubblewrap { method: IdentityMethod::OtherUser { user, .. }, .. }) => Some(*user),
            Self::Sandbox(_) => None,
            Self::Process(process) => process.user,
        }
    }

    /// The same with another user for the agent, if the runner is root.
    #[must_use]
    pub fn with_agent_user(mut self, user: AgentUser) -> Self {
        match &mut self {
            Self::Sandbox(Bubblewrap { method: IdentityMethod::OtherUser { user: own, .. }, .. })
            | Self::Process(PlainProcess { user: Some(own), .. }) => *own = user,
            Self::Sandbox(_) | Self::Process(_) => {}
        }
        self
    }
}
