//! SQL of what came of a session, for those who count it: written with its end, and so once.

use crate::db::Owned;

use super::super::change::{AgentResult, Change};

/// What writes down what came of a run that ended with this change.
pub(super) fn statements(change: &Change) -> impl Iterator<Item = Owned<'_>> {
    let of_experiment = |result| note_for_experiment(change, result);
    let result = change.result();
    result.map(|result| note_result(change, result)).into_iter().chain(result.and_then(of_experiment))
}

/// What came of the run, for the figures of its agent.
fn note_result(change: &Change, result: AgentResult) -> Owned<'_> {
    let session = &change.session;
    Owned {
        sql: "select note_agent_result($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, s.required_capabilities, $11)
              from sessions s where s.tenant_id = $1 and s.id = $2",
        values: vec![
            Box::new(session.tenant_id),
            Box::new(session.id),
            Box::new(session.run),
            Box::new(result.agent_id),
            Box::new(result.success),
            Box::new(result.quality),
            Box::new(session.active_ms),
            Box::new(session.usage.cost_micros),
            Box::new(session.usage.tokens()),
            Box::new(
                session.outcome.as_ref().and_then(|outcome| outcome.error.as_ref()).map(|error| error.code.as_str()),
            ),
            Box::new(change.now),
        ],
    }
}

/// What came of the session, for the experiment that it takes part in: only the first end that tells something.
fn note_for_experiment(change: &Change, result: AgentResult) -> Option<Owned<'_>> {
    let session = &change.session;
    let part = session.resolved_model.as_ref()?.experiment.as_ref()?;
    Some(Owned {
        sql: "insert into experiment_results (tenant_id, experiment_id, session_id, root_id, arm, success, duration_ms,
                  cost_micros, tokens, at)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
              on conflict (tenant_id, experiment_id, session_id) do nothing",
        values: vec![
            Box::new(session.tenant_id),
            Box::new(part.id),
            Box::new(session.id),
            Box::new(session.root_id),
            Box::new(part.arm.as_str()),
            Box::new(result.success),
            Box::new(session.active_ms),
            Box::new(session.usage.cost_micros),
            Box::new(session.usage.tokens()),
            Box::new(change.now),
        ],
    })
}
