//! Calls to the agent of a session: its runtime, the assignment that it gets, and what is read from it when a run ends.

use std::sync::Arc;

use serde_json::json;

use crate::{
    agents::{
        contract::{AgentRuntime, Assignment, Continuation, FileContent, Observation, OutputFile, RunOutput, RunState},
        environments::{self, TaskEnvironment},
        registry::AgentEndpoint,
    },
    engine::services::Engine,
    events::log::EventType,
    identity::secrets::service::{SecretRequest, reveal_secrets},
    kernel::{
        error::{Code, Error, Result},
        failure::Failure,
        id::ArtifactId,
        redact::KnownSecrets,
    },
    platform::cpu,
    sessions::{
        Handover, Session,
        change::SessionChange,
        store::{self, Artifact, ClaimedSession},
    },
};

/// The largest artifact that is stored, in bytes.
const MAX_ARTIFACT_BYTES: usize = 10 * 1024 * 1024;

/// A run that its agent has: how to call the agent about it.
pub(crate) struct AgentCall {
    pub(crate) runtime: Arc<dyn AgentRuntime>,
    pub(crate) assignment: Assignment,
    pub(crate) state: RunState,
    /// The values of the secrets that the session may have received.
    known_secrets: KnownSecrets,
}

/// When a step of the end of a run is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    Never,
    /// Only if the agent could be stopped.
    IfAborted,
    Always,
}

/// The last observation and the work of a run whose agent was aborted, or stopped by itself.
pub(crate) struct RunReport {
    pub(crate) aborted: Result<(), Failure>,
    pub(crate) observation: Option<Observation>,
    pub(crate) work: Option<RunOutput>,
    /// Why the work could not be read.
    pub(crate) unread: Option<Failure>,
    /// Their bytes are stored; their rows are written with the step.
    pub(crate) artifacts: Vec<Artifact>,
    /// Files that are too large to be stored.
    pub(crate) too_large: Vec<String>,
}

impl RunReport {
    /// Adds the events of the artifacts, and of what could not be read or stored.
    pub(crate) fn add_events(&self, change: &mut SessionChange) -> Result<()> {
        for artifact in &self.artifacts {
            change.add_event(EventType::Artifact, serde_json::to_value(artifact)?);
        }
        for path in &self.too_large {
            let mib = MAX_ARTIFACT_BYTES / 1024 / 1024;
            let text = format!("The file {path} has more than {mib} MiB and is not stored as an artifact.");
            change.add_log(json!({"level": "warning", "message": text, "code": "ARTIFACT_TOO_LARGE"}));
        }
        Ok(())
    }
}

impl AgentCall {
    /// `None`: the agent was never given the work.
    pub(crate) async fn of_claimed(engine: &Engine, claimed: &ClaimedSession) -> Result<Option<Self>> {
        let Some(state) = claimed.session.run.state.clone() else { return Ok(None) };
        let contact = contact_of(claimed)?;
        Ok(Some(Self::of_running(engine, contact.clone(), &claimed.session, state).await?))
    }

    /// A call about work that the agent has already.
    pub(crate) async fn of_running(
        engine: &Engine,
        agent: AgentEndpoint,
        session: &Session,
        state: RunState,
    ) -> Result<Self> {
        let runtime = engine.runtimes.runtime(&agent)?;
        let assignment = build_assignment(engine, agent, &session.without_handover()).await?;
        let known_secrets = find_known_secrets(engine, session).await?;
        Ok(Self { runtime, assignment, state, known_secrets })
    }

    /// Instructs the agent to stop, and waits until it is idle.
    pub(crate) async fn abort_run(&self) -> Result<(), Failure> {
        let aborted = self.runtime.abort(&self.assignment, &self.state).await;
        if let Err(failure) = &aborted {
            tracing::warn!(session.id = %self.assignment.session_id, failure.message, "the agent could not be aborted");
        }
        aborted
    }

    /// Observes the run. What the agent shows has no secrets: they are removed here, before any transaction begins.
    pub(crate) async fn observe_run(&self) -> Result<Observation, Failure> {
        let observation = self.runtime.observe(&self.assignment, &self.state).await?;
        let known = self.known_secrets.clone();
        Ok(cpu::compute(observation.text_bytes(), move || observation.without_known(&known).without_secrets()).await)
    }

    async fn collect_output(&self) -> Result<RunOutput, Failure> {
        let collected = self.runtime.collect_output(&self.assignment, &self.state).await;
        if let Err(failure) = &collected {
            tracing::warn!(session.id = %self.assignment.session_id, failure.message, "the work could not be read");
        }
        let work = collected?.into_storable();
        let known = self.known_secrets.clone();
        Ok(cpu::compute(work.summary.len(), move || work.with_known_masked(&known).with_redacted_summary()).await)
    }

    /// Reads what is left to read from an agent after the attempt to abort it: its last observation and its work.
    /// Stores the artifacts' bytes.
    pub(crate) async fn finish_with_agent(
        &self,
        engine: &Engine,
        aborted: Result<(), Failure>,
        observe: When,
        collect: When,
    ) -> Result<RunReport> {
        let applies = |when| when == When::Always || when == When::IfAborted && aborted.is_ok();
        let mut observation = None;
        if applies(observe) {
            let observed = self.observe_run().await;
            observation = observed
                .inspect_err(|failure| tracing::warn!(failure.message, "the last observation of a run failed"))
                .ok();
        }
        let (work, unread) = if applies(collect) {
            self.collect_output().await.map_or_else(|failure| (None, Some(failure)), |work| (Some(work), None))
        } else {
            (None, None)
        };
        let (artifacts, too_large) = self.store_artifacts(engine, work.as_ref()).await?;
        Ok(RunReport { aborted, observation, work, unread, artifacts, too_large })
    }

    /// Stores the bytes of the artifacts, and returns those whose rows are to be written, and the names of those that
    /// are too large.
    async fn store_artifacts(&self, engine: &Engine, work: Option<&RunOutput>) -> Result<(Vec<Artifact>, Vec<String>)> {
        let Some(work) = work else { return Ok(Default::default()) };
        let (tenant_id, session_id) = (self.assignment.tenant_id, self.assignment.session_id);
        let known = store::list_artifacts(&engine.db, tenant_id, session_id).await?;
        let mut changed = Vec::new();
        let patch = OutputFile {
            path: "changes.patch".to_owned(),
            mime_type: "text/x-diff".to_owned(),
            content: work.patch.clone().into(),
        };
        let files = work.artifacts.iter().chain((!work.patch.is_empty()).then_some(&patch));
        let (files, too_large): (Vec<_>, Vec<_>) = files.partition(|file| file.content.size() <= MAX_ARTIFACT_BYTES);
        for file in files {
            let size = i64::try_from(file.content.size()).unwrap_or(i64::MAX);
            let sha256 = match &file.content {
                FileContent::Bytes(bytes) => engine.files.put_content(tenant_id, session_id, bytes.clone()).await?,
                FileContent::Stored { sha256, .. } => sha256.clone(),
            };
            let before = known.iter().find(|one| one.path == file.path);
            if before.is_some_and(|one| one.sha256 == sha256) {
                continue;
            }
            changed.push(Artifact {
                id: before.map_or_else(ArtifactId::new, |one| one.id),
                path: file.path.clone(),
                mime_type: file.mime_type.clone(),
                size,
                sha256,
                at: engine.clock.now(),
            });
        }
        Ok((changed, too_large.into_iter().map(|file| file.path.clone()).collect()))
    }
}

/// How to reach the agent of a claimed session.
pub(crate) fn contact_of(claimed: &ClaimedSession) -> Result<&AgentEndpoint> {
    claimed.agent.as_ref().ok_or_else(|| Error::new(Code::AgentUnavailable, "The session's agent was removed."))
}

/// The assignment of a session to an agent.
pub(crate) async fn build_assignment(engine: &Engine, agent: AgentEndpoint, session: &Session) -> Result<Assignment> {
    let continuation = find_continuation(engine, &agent, session).await?;
    let environment = find_environment(engine, session).await?;
    let spec = &session.spec;
    let defaults = environment.as_ref();
    let left = i64::from(spec.max_duration_seconds) - session.active_for(engine.clock.now()).num_seconds();
    Ok(Assignment {
        tenant_id: session.tenant_id,
        session_id: session.id,
        agent,
        run: session.run.number,
        run_started_at: session.run.started_at.unwrap_or(session.clock.created_at),
        title: spec.title.clone(),
        session_type: spec.session_type.name().to_owned(),
        prompt: spec.initial_prompt.clone(),
        model: model_identifier(session).or_else(|| defaults?.default_model().map(str::to_owned)),
        agent_config: spec.agent_config.clone(),
        workspace: spec.workspace.clone(),
        cpu_limit: spec.cpu_limit.or_else(|| defaults?.spec.cpu),
        memory_limit_mb: spec.memory_limit_mb.or_else(|| defaults?.spec.memory_mb),
        timeout_seconds: left.max(1),
        continuation,
        environment,
    })
}

/// The environment of a session that is about to be handed over. A running agent has it already.
async fn find_environment(engine: &Engine, session: &Session) -> Result<Option<TaskEnvironment>> {
    match &session.spec.environment {
        Some(named) if session.run.handover.is_some() => {
            environments::store::find_version(&engine.db, session.tenant_id, named).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// The values of the secrets that the environment of a session names, as they are now.
async fn find_known_secrets(engine: &Engine, session: &Session) -> Result<KnownSecrets> {
    let Some(named) = &session.spec.environment else { return Ok(KnownSecrets::default()) };
    let mut tx = engine.db.tenant(session.tenant_id).await?;
    let environment = environments::store::find_pinned(&mut tx, session.tenant_id, named).await?;
    let request = SecretRequest {
        tenant_id: session.tenant_id,
        environment_id: named.id,
        created_by: &session.created_by,
        names: &environment.spec.secrets,
    };
    let revealed = reveal_secrets(&mut tx, &engine.pepper, &request, engine.clock.now()).await?;
    tx.commit().await?;
    Ok(KnownSecrets::of_values(revealed.secrets.iter().map(|one| one.value.as_str())))
}

/// Where the agent begins.
async fn find_continuation(engine: &Engine, agent: &AgentEndpoint, session: &Session) -> Result<Continuation> {
    match &session.run.handover {
        None | Some(Handover::Start) => Ok(Continuation::Start),
        Some(Handover::Resume { ask }) => Ok(match &session.run.state {
            Some(state) => Continuation::Resume { state: state.clone(), ask: *ask },
            None => Continuation::Start,
        }),
        Some(Handover::Checkpoint { session_id, sequence }) => {
            let origin = store::find_checkpoint(&engine.db, session.tenant_id, *session_id, *sequence).await?;
            let store::CheckpointOrigin { patch, summary, .. } = origin;
            // The state that another agent's runtime stored means nothing to this one.
            let state = origin.state.filter(|_| origin.agent_id == Some(agent.id));
            if state.is_none() && patch.is_empty() && summary.is_empty() {
                // The checkpoint was taken before any agent had the work.
                return Ok(Continuation::Start);
            }
            Ok(Continuation::Checkpoint { state, patch, summary, fork: *session_id != session.id })
        }
    }
}

/// The model to run on: the one that the session's reference resolves to, else the one that the session names.
fn model_identifier(session: &Session) -> Option<String> {
    let resolved = session.run.resolved_model.as_ref().map(|resolved| resolved.model_identifier.clone());
    resolved.or_else(|| session.spec.model_identifier.clone())
}
