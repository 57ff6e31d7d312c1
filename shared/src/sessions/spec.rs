//! The specification of a session: the part of it that its caller decides. Nothing that happens in a run changes it.

use serde_json::{Map, Value};

use crate::{
    agents::{
        contract::workspace::Workspace,
        environments::{SessionEnvironment, TaskEnvironment},
        registry::requirements::add_required_skill,
    },
    kernel::session_type::SessionType,
};

/// The work that a session is to do, within all limits of [`super::draft`].
#[derive(Clone, Debug, PartialEq)]
pub struct SessionSpec {
    pub title: String,
    pub description: Option<String>,
    pub session_type: SessionType,
    pub priority: Priority,
    pub initial_prompt: String,
    /// `provider/model`, or a reference to a registered model or an experiment; `None` for the agent's own default.
    pub model_identifier: Option<String>,
    /// Handed to the agent. The key `agent` names the agent.
    pub agent_config: Map<String, Value>,
    pub workspace: Option<Workspace>,
    /// The version of the environment that it works in; `None` for none.
    pub environment: Option<SessionEnvironment>,
    /// The limit of the time that the session may spend in running or degraded.
    pub max_duration_seconds: i32,
    pub cpu_limit: Option<f64>,
    pub memory_limit_mb: Option<i32>,
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
}

impl SessionSpec {
    /// Sets the environment. If the environment names a program and the session no agent, only agents with that program
    /// among their skills may take it.
    pub fn set_environment(&mut self, environment: Option<TaskEnvironment>) {
        let program = environment.as_ref().and_then(TaskEnvironment::program);
        if let (Some(program), false) = (program, self.agent_config.contains_key("agent")) {
            add_required_skill(&mut self.agent_config, program);
        }
        self.environment = environment.map(|found| found.named);
    }
}

/// How urgent a session is: 0 is the most urgent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Priority(i16);

impl Default for Priority {
    fn default() -> Self {
        Self(2)
    }
}

impl Priority {
    pub const WORDS: [&str; 5] = ["critical", "high", "medium", "low", "deferred"];

    pub fn from_level(level: i64) -> Option<Self> {
        i16::try_from(level).ok().filter(|level| (0..=4).contains(level)).map(Self)
    }

    /// Reads a word or a number.
    pub fn parse(text: &str) -> Option<Self> {
        let word = Self::WORDS.iter().position(|word| *word == text);
        word.and_then(|level| i64::try_from(level).ok()).or_else(|| text.parse().ok()).and_then(Self::from_level)
    }

    pub fn level(self) -> i16 {
        self.0
    }

    pub fn word(self) -> &'static str {
        usize::try_from(self.0).ok().and_then(|level| Self::WORDS.get(level)).copied().unwrap_or("medium")
    }
}
