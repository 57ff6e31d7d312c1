//! Where the current run of a session is worked on, and how far it has come.

use tokio_postgres::types::Json;

use crate::{
    agents::services::AgentServices,
    identity::auth::Caller,
    kernel::{
        error::Result,
        id::{RunnerId, SessionId},
    },
};

use super::phase::PhaseTimes;

/// The progress of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunProgress {
    /// The runner that holds the run, or held it last.
    pub runner_id: Option<RunnerId>,
    pub phases: PhaseTimes,
}

/// The progress of the newest run of a session of the caller's tenant. Empty if no agent of the protocol has it.
pub async fn find_run_progress(services: &AgentServices, caller: &Caller, session: SessionId) -> Result<RunProgress> {
    let sql = "select t.runner_id, t.phases from agent_tasks t where t.tenant_id = $1 and t.session_id = $2
               order by t.run desc limit 1";
    let rows = services.db.read(caller.tenant_id, sql, &[&caller.tenant_id, &session]).await?;
    let Some(row) = rows.first() else { return Ok(RunProgress::default()) };
    let Json(phases) = row.try_get("phases")?;
    Ok(RunProgress { runner_id: row.try_get("runner_id")?, phases })
}
