//! What becomes of a session that waits for just one agent, which is gone. Pure.

use serde_json::json;

use crate::{error::Result, event::EventType, id::AgentId};

use super::{
    Handover,
    change::Change,
    outcome::{Category, Failure, Outcome},
    status::Status,
    verbs,
};

/// Ends a session that waits for this agent because it names it. One that waits because its work was there goes on
/// elsewhere, from its last checkpoint.
pub fn strand(change: &mut Change, agent: AgentId) -> Result<()> {
    let session = &mut change.session;
    if session.status != Status::Queued || session.agent_id != Some(agent) || session.is_routed() {
        return Ok(());
    }
    let Some(named) = session.agent_config.get("agent") else {
        let (session_id, sequence) = (session.id, session.last_checkpoint);
        let checkpoint = Handover::Checkpoint { session_id, sequence };
        session.handover = Some(if sequence > 0 { checkpoint } else { Handover::Start });
        session.run_state = None;
        session.lost_agent_id = session.agent_id.take();
        let text = "The agent is gone; another goes on from the last checkpoint.";
        change.event(EventType::Log, json!({"level": "warning", "message": text, "code": "AGENT_GONE"}));
        return Ok(());
    };
    let message = format!("The agent {named} that the session names is gone, or no longer offered to its tenant.");
    change.verb = Some("strand");
    change.go(Status::Failed, "AGENT_GONE")?;
    let failure = Failure {
        remedy: "Create the session anew and name another agent, or none.".to_owned(),
        ..Failure::new(Category::User, "AGENT_GONE", message)
    };
    verbs::finish(change, Outcome { error: Some(failure), ..Outcome::default() });
    Ok(())
}
