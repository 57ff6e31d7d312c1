//! SQL of the results of sessions, for the statistics of agents and experiments. A result is written with the end of
//! its session, and so once.

use crate::platform::postgres::OwnedStatement;

use super::super::change::{RunResult, SessionChange};

/// The statements that write the result of a run which ended with this change.
pub(super) fn result_statements(change: &SessionChange) -> impl Iterator<Item = OwnedStatement<'_>> {
    let of_experiment = |result| insert_experiment_result(change, result);
    let failure = change.agent_failure.as_ref().map(|(agent_id, code)| {
        let failed = RunResult { agent_id: *agent_id, success: 0.0, quality: None };
        record_agent_result(change, failed, Some(code.as_str()))
    });
    let error = change.session.outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
    let code = error.map(|error| error.code.as_str());
    let of_agent = change.agent_result().map(|result| record_agent_result(change, result, code));
    failure.into_iter().chain(of_agent).chain(change.run_result().and_then(of_experiment))
}

/// Writes the result of the run for the statistics of its agent.
fn record_agent_result<'a>(
    change: &'a SessionChange,
    result: RunResult,
    error_code: Option<&'a str>,
) -> OwnedStatement<'a> {
    let session = &change.session;
    OwnedStatement {
        sql: "select record_agent_result($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, s.required_capabilities, $11)
              from sessions s where s.tenant_id = $1 and s.id = $2",
        values: vec![
            Box::new(session.tenant_id),
            Box::new(session.id),
            Box::new(session.run.number),
            Box::new(result.agent_id),
            Box::new(result.success),
            Box::new(result.quality),
            Box::new(session.clock.active_ms),
            Box::new(session.usage.total.cost_micros),
            Box::new(session.usage.total.tokens()),
            Box::new(error_code),
            Box::new(change.now),
        ],
    }
}

/// Writes the result of the session for its experiment. Only the first result of a session counts.
fn insert_experiment_result(change: &SessionChange, result: RunResult) -> Option<OwnedStatement<'_>> {
    let session = &change.session;
    let part = session.run.resolved_model.as_ref()?.experiment.as_ref()?;
    Some(OwnedStatement {
        sql: "insert into experiment_results (tenant_id, experiment_id, session_id, root_id, arm, success, duration_ms,
                  cost_micros, tokens, at)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
              on conflict (tenant_id, experiment_id, session_id) do nothing",
        values: vec![
            Box::new(session.tenant_id),
            Box::new(part.id),
            Box::new(session.id),
            Box::new(session.lineage.root_id),
            Box::new(part.arm.as_str()),
            Box::new(result.success),
            Box::new(session.clock.active_ms),
            Box::new(session.usage.total.cost_micros),
            Box::new(session.usage.total.tokens()),
            Box::new(change.now),
        ],
    })
}
