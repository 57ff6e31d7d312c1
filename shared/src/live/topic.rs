//! Topics: what can be watched, each named by its path.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{auth::scope::Area, event::tenant::Subject, id::SessionId};

/// Something that can be watched.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Topic {
    /// All sessions of the tenant.
    Sessions,
    Session(SessionId),
    Agents,
    /// Training and models.
    Tuning,
    System,
}

impl Topic {
    /// What a credential with scopes must be able to read; `None` = nothing in particular.
    pub const fn area(self) -> Option<Area> {
        match self {
            Self::Sessions | Self::Session(_) => Some(Area::Sessions),
            Self::Agents => Some(Area::Agents),
            Self::Tuning => Some(Area::Training),
            Self::System => None,
        }
    }

    /// The events beside those of sessions that it consists of.
    pub const fn subject(self) -> Option<Subject> {
        match self {
            Self::Sessions | Self::Session(_) => None,
            Self::Agents => Some(Subject::Agents),
            Self::Tuning => Some(Subject::Tuning),
            Self::System => Some(Subject::System),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sessions => f.write_str("/ws/sessions"),
            Self::Session(id) => write!(f, "/ws/sessions/{id}"),
            Self::Agents => f.write_str("/ws/agents"),
            Self::Tuning => f.write_str("/ws/tuning"),
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
            "/ws/tuning" => Ok(Self::Tuning),
            "/ws/system" => Ok(Self::System),
            other => {
                other.strip_prefix("/ws/sessions/").and_then(|id| id.parse().ok()).map(Self::Session).ok_or_else(|| {
                    "is none of /ws/sessions, /ws/sessions/{id}, /ws/agents, /ws/tuning, /ws/system".to_owned()
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
    fn every_topic_reads_back_as_it_is_written() {
        for topic in [Topic::Sessions, Topic::Session(SessionId::new()), Topic::Agents, Topic::Tuning, Topic::System] {
            assert_eq!(topic.to_string().parse(), Ok(topic));
        }
        for wrong in ["", "/ws", "/ws/session", "/ws/sessions/", "/ws/sessions/1", "sessions", "/ws/agents/"] {
            assert!(wrong.parse::<Topic>().is_err(), "{wrong}");
        }
    }
}
