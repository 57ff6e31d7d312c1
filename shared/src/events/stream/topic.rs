//! Topics: the event sequences that a client can subscribe to, each named by its path.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{events::log::tenant::TenantTopic, identity::auth::scope::Area, kernel::id::SessionId};

/// A sequence of events that a client can subscribe to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Topic {
    /// All sessions of the tenant.
    Sessions,
    Session(SessionId),
    Agents,
    /// Training and models.
    FineTuning,
    System,
}

impl Topic {
    /// The area that a scoped credential must be able to read; `None` if the topic needs no scope.
    pub const fn scope_area(self) -> Option<Area> {
        match self {
            Self::Sessions | Self::Session(_) => Some(Area::Sessions),
            Self::Agents => Some(Area::Agents),
            Self::FineTuning => Some(Area::FineTuning),
            Self::System => None,
        }
    }

    /// The tenant events that the topic consists of; `None` for topics of sessions.
    pub const fn tenant_topic(self) -> Option<TenantTopic> {
        match self {
            Self::Sessions | Self::Session(_) => None,
            Self::Agents => Some(TenantTopic::Agents),
            Self::FineTuning => Some(TenantTopic::FineTuning),
            Self::System => Some(TenantTopic::System),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sessions => f.write_str("/ws/sessions"),
            Self::Session(id) => write!(f, "/ws/sessions/{id}"),
            Self::Agents => f.write_str("/ws/agents"),
            Self::FineTuning => f.write_str("/ws/fine-tuning"),
            Self::System => f.write_str("/ws/system"),
        }
    }
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "/ws/sessions" => Ok(Self::Sessions),
            "/ws/agents" => Ok(Self::Agents),
            "/ws/fine-tuning" => Ok(Self::FineTuning),
            "/ws/system" => Ok(Self::System),
            other => {
                other.strip_prefix("/ws/sessions/").and_then(|id| id.parse().ok()).map(Self::Session).ok_or_else(|| {
                    "must be one of /ws/sessions, /ws/sessions/{id}, /ws/agents, /ws/fine-tuning, /ws/system".to_owned()
                })
            }
        }
    }
}

impl TryFrom<String> for Topic {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_parses_back_to_itself() {
        for topic in
            [Topic::Sessions, Topic::Session(SessionId::new()), Topic::Agents, Topic::FineTuning, Topic::System]
        {
            assert_eq!(topic.to_string().parse(), Ok(topic));
        }
        for wrong in ["", "/ws", "/ws/session", "/ws/sessions/", "/ws/sessions/1", "sessions", "/ws/agents/"] {
            assert!(wrong.parse::<Topic>().is_err(), "{wrong}");
        }
    }
}
