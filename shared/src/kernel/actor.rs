//! Actors, and the call in which an actor made a change.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The user, the key, the agent, the runner or the component that caused a change.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    /// The kind of actor.
    pub kind: ActorKind,
    /// The id of the user, key, agent or runner, or the name of the component.
    pub id: String,
    /// The display name of the actor.
    pub name: String,
}

/// The kind of actor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    User,
    Key,
    Agent,
    Runner,
    System,
}

impl Actor {
    /// A component of the product, such as `dispatcher`.
    pub fn system_part(part: &str) -> Self {
        Self { kind: ActorKind::System, id: part.to_owned(), name: part.to_owned() }
    }
}

/// The author of a change and its call.
#[derive(Clone, Debug)]
pub struct By {
    pub actor: Actor,
    /// The request or the run of a job; `None` for changes by the product itself.
    pub request_id: Option<Arc<str>>,
    /// The network address of the caller, if known.
    pub address: Option<Arc<str>>,
}

impl From<Actor> for By {
    fn from(actor: Actor) -> Self {
        Self { actor, request_id: None, address: None }
    }
}
