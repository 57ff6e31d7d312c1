//! The kinds of work that a session can be. Routing, experiments and datasets select by it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of work of a session.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionType {
    Planning,
    #[default]
    Execution,
    Review,
    Debug,
    Integration,
}

impl SessionType {
    pub const ALL: [Self; 5] = [Self::Planning, Self::Execution, Self::Review, Self::Debug, Self::Integration];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Execution => "execution",
            Self::Review => "review",
            Self::Debug => "debug",
            Self::Integration => "integration",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }
}
