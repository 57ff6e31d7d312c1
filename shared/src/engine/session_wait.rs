//! The answer to an agent that waits for sessions which it created: what they came to.

use chrono::TimeDelta;

use crate::{
    agents::{
        contract::{Answer, Question, QuestionKind},
        registry,
    },
    engine::services::Engine,
    kernel::error::{Code, Result},
    sessions::{Session, service::spawn::read_children, transitions::wait},
};

/// The answer to the question with which a session is paused, if other sessions answer it and the wait is over.
pub(crate) async fn find_answer(engine: &Engine, session: &Session) -> Result<Option<Answer>> {
    let Some(question) = &session.pause.question else { return Ok(None) };
    let waited = engine.clock.now() - session.clock.status_changed_at;
    find_answer_to(engine, session, question, waited).await
}

/// The answer to a question of a session's agent, which has waited so long.
pub(crate) async fn find_answer_to(
    engine: &Engine,
    session: &Session,
    question: &Question,
    waited: TimeDelta,
) -> Result<Option<Answer>> {
    if question.kind != QuestionKind::Sessions {
        return Ok(None);
    }
    let text = if is_trusted(engine, session).await? {
        let ids = question.awaited_sessions().unwrap_or_default();
        let children = read_children(engine, session.tenant_id, session.id, &ids).await?;
        let missing = ids.into_iter().filter(|id| !children.iter().any(|child| child.id == *id)).collect::<Vec<_>>();
        wait::describe_end(&children, &missing, waited)
    } else {
        Some(format!("{}: the tenant does not trust this agent with other sessions.", Code::SpawnForbidden))
    };
    let question_id = question.question_id.clone();
    Ok(text.map(|text| Answer { question_id, decision: None, choices: None, text: Some(text) }))
}

/// Whether the tenant trusts the agent of a session with what other sessions came to.
async fn is_trusted(engine: &Engine, session: &Session) -> Result<bool> {
    let Some(agent) = session.run.agent_id else { return Ok(false) };
    match registry::store::find_agent(&engine.db, session.tenant_id, agent).await {
        Ok(agent) => Ok(agent.trust.is_trusted_by(session.tenant_id, agent.tenant_id)),
        Err(error) if error.code() == Code::AgentNotFound => Ok(false),
        Err(error) => Err(error),
    }
}
