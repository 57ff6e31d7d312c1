//! The position of a queued session, and the true reason why it waits. Pure.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{calendar::next_month, clock::Time};

use super::session::Session;

/// The resource that a queued session waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// One of the tenant's slots.
    Slot,
    /// Another session works in the same workspace.
    Workspace,
    /// An agent: the session is offered to one that has not taken it yet, or none is free.
    Agent,
    /// The tenant's tokens of the month are spent.
    Tokens,
}

/// The position of a session in the queue, and what it waits for.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Queue)]
pub struct QueuePosition {
    /// The position; 1 is the next session of the tenant for this agent.
    pub place: i64,
    /// The resource that the session waits for.
    pub waiting_for: WaitingFor,
    /// The reason, for people. It names the agent that the session is offered to or waits for.
    pub detail: String,
    /// When this wait ends at the latest: the end of the offer, or of the month. Absent if it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Time>,
}

impl QueuePosition {
    /// `agent` is the name of the agent that the session is assigned to.
    pub(super) fn new(session: &Session, place: i64, waiting_for: WaitingFor, agent: Option<&str>, now: Time) -> Self {
        let (detail, until) = match (waiting_for, session.run.offered_until) {
            (_, Some(until)) => {
                let name = agent.unwrap_or("The agent");
                return Self {
                    place,
                    waiting_for: WaitingFor::Agent,
                    detail: describe_offer(session, name, until),
                    until: Some(until),
                };
            }
            (WaitingFor::Tokens, None) => {
                ("The tenant's tokens of this month are spent.".to_owned(), Some(next_month(now)))
            }
            (WaitingFor::Slot, None) => ("All of the tenant's slots are taken.".to_owned(), None),
            (WaitingFor::Workspace, None) => ("Another session works in the same workspace.".to_owned(), None),
            (WaitingFor::Agent, None) => ("An agent gets the session in a moment.".to_owned(), None),
        };
        Self { place, waiting_for, detail, until }
    }
}

fn describe_offer(session: &Session, agent: &str, until: Time) -> String {
    let until = until.format("%H:%M:%S");
    match (session.run.handover.is_some(), session.run.unreachable_since.is_some()) {
        (false, _) => format!("{agent}: offered, to be claimed by {until} UTC."),
        (true, false) => format!("{agent}: offered, being handed over."),
        (true, true) => format!("{agent}: offered, but it cannot be reached; tried again until {until} UTC."),
    }
}
