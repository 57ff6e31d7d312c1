//! What happens to a session that waits for an agent which was removed.

use serde_json::json;

use crate::kernel::{
    error::Result,
    failure::{Category, Failure},
    id::AgentId,
};

use super::super::{change::SessionChange, outcome::Outcome, status::Status};

/// Fails a queued session that names the removed agent. A session that waits for the agent only because its work was
/// there becomes routable again and continues elsewhere from its last checkpoint.
pub fn fail_or_reroute(change: &mut SessionChange, agent: AgentId) -> Result<()> {
    let session = &change.session;
    if session.status != Status::Queued || session.run.agent_id != Some(agent) || session.is_routed() {
        return Ok(());
    }
    let Some(named) = session.spec.agent_config.get("agent") else {
        reroute_session(change);
        return Ok(());
    };
    let message =
        format!("The agent {named} that the session names was removed, or is no longer offered to its tenant.");
    change.verb = Some("strand");
    change.transition_to(Status::Failed, "AGENT_GONE")?;
    let failure = Failure {
        remedy: "Create the session anew and name another agent, or none.".to_owned(),
        ..Failure::new(Category::User, "AGENT_GONE", message)
    };
    change.record_outcome(Outcome { error: Some(failure), ..Outcome::default() });
    change.schedule_cleanup();
    Ok(())
}

fn reroute_session(change: &mut SessionChange) {
    change.hand_over_from_checkpoint();
    let run = &mut change.session.run;
    run.state = None;
    run.lost_agent_id = run.agent_id.take();
    let text = "The agent was removed; another continues from the last checkpoint.";
    change.add_log(json!({"level": "warning", "message": text, "code": "AGENT_GONE"}));
}
