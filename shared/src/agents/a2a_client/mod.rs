//! Agents that speak A2A 1.0 (`Agent2Agent`), called at an interface that their card names: HTTP+JSON or JSON-RPC.
//!
//! The state of the task is authoritative. A push notification only makes the next poll come sooner.

mod call;
mod card;
mod output;
mod peer;
mod poll;
pub mod push_notification;
mod request;
mod state;
mod task_text;

use std::time::Duration;

use async_trait::async_trait;

use ::a2a::{Message, SendMessageResponse, Task, TaskState, error_code};

use crate::{
    agents::{
        contract::{
            AgentRuntime, Assignment, Continuation, Finish, LogLevel, Observation, Phase, RunOutput, RunState,
            UserMessage,
        },
        registry::AgentEndpoint,
    },
    kernel::{
        encryption::Pepper,
        failure::{Category, Failure},
        id::MessageId,
        usage::Usage,
    },
    platform::http_client::AllowedDestinations,
};

use self::{
    call::{A2aCall, CallError},
    card::CardCache,
    peer::Peer,
    state::A2aRunState,
};

/// How often, and at which interval, a cancelled task is polled until it ends.
const CANCEL_POLLS: u32 = 10;
const CANCEL_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The configuration of the runtime.
#[derive(Clone)]
pub struct A2aClientSettings {
    /// Addresses that agent URLs may use besides the public internet.
    pub allowed: AllowedDestinations,
    /// Decrypts the secrets of agents, and derives the tokens of push notifications.
    pub pepper: Pepper,
    /// The public URL of this API. Without it, no push notifications are requested.
    pub public_url: Option<String>,
    /// The timeout of one call.
    pub call_timeout: Duration,
}

impl A2aClientSettings {
    pub fn new(allowed: AllowedDestinations, pepper: Pepper, public_url: Option<&str>) -> Self {
        Self { allowed, pepper, public_url: public_url.map(str::to_owned), call_timeout: Duration::from_secs(20) }
    }
}

/// The runtime of agents that speak A2A.
pub struct A2a {
    settings: A2aClientSettings,
    cards: CardCache,
}

impl A2a {
    pub fn new(settings: A2aClientSettings) -> Self {
        Self { cards: CardCache::new(settings.allowed.clone(), settings.call_timeout), settings }
    }

    async fn find_peer(&self, assignment: &Assignment) -> Result<Peer, Failure> {
        self.cards.find_peer(&assignment.agent, &self.settings.pepper).await
    }

    /// Sends a message, unless the agent received it already.
    async fn start_task(&self, peer: &Peer, assignment: &Assignment, message: Message) -> Result<A2aRunState, Failure> {
        let context = message.context_id.clone();
        if let Some(context) = &context
            && let Some(task) = self.find_task(peer, context, &message.message_id).await?
        {
            return Ok(A2aRunState::for_task(&task));
        }
        let push = peer.supports_push.then(|| self.push_config(assignment)).flatten();
        let sent = match peer.send_message(message.clone(), push.clone()).await {
            // Some agents reject a context id that the client chose.
            Err(CallError::Peer(error))
                if context.is_some() && message.task_id.is_none() && call::is_refusal(&error) =>
            {
                peer.send_message(Message { context_id: None, ..message }, push).await
            }
            sent => sent,
        };
        match sent? {
            SendMessageResponse::Task(task) => Ok(A2aRunState::for_task(&task)),
            SendMessageResponse::Message(message) => Ok(A2aRunState::for_answer(&message)),
        }
    }

    fn push_config(&self, assignment: &Assignment) -> Option<::a2a::TaskPushNotificationConfig> {
        let base = self.settings.public_url.as_deref()?;
        let (tenant, session) = (assignment.tenant_id, assignment.session_id);
        Some(::a2a::TaskPushNotificationConfig {
            url: format!("{}{}", base.trim_end_matches('/'), push_notification::callback_path(tenant, session)),
            id: Some("ioc".to_owned()),
            task_id: String::new(),
            token: Some(push_notification::callback_token(&self.settings.pepper, tenant, session)),
            authentication: None,
            tenant: None,
        })
    }

    /// The task that a message of ours created. An agent that cannot list tasks is treated as having none.
    async fn find_task(&self, peer: &Peer, context: &str, message: &str) -> Result<Option<Task>, Failure> {
        let listed = match peer.call_agent(&A2aCall::List { context }).await {
            Ok(listed) => call::read_task_list(listed),
            Err(CallError::Failed(failure)) if failure.category == Category::Transient => return Err(failure),
            Err(_) => Vec::new(),
        };
        Ok(listed.into_iter().find(|task| task.context_id == context && has_message(task, message)))
    }

    /// Continues a paused task: a task that waits for input gets a message, and a task that ended is followed by a new
    /// one.
    async fn resume_task(
        &self,
        peer: &Peer,
        assignment: &Assignment,
        mut run: A2aRunState,
    ) -> Result<A2aRunState, Failure> {
        let Some(id) = run.task.clone() else {
            return self.start_task(peer, assignment, request::follow_up_task(assignment, &run)).await;
        };
        match peer.get_task(&id).await {
            Ok(task) if task.status.state.is_terminal() => {
                self.start_task(peer, assignment, request::follow_up_task(assignment, &run)).await
            }
            Ok(task) if poll::needs_input(&task) && !has_message(&task, &request::message_id(assignment)) => {
                peer.send_message(request::continue_task(assignment, &task), None).await?;
                run.answered = Some(poll::question_id(&task));
                Ok(run)
            }
            Ok(_) => Ok(run),
            Err(CallError::Peer(error)) if error.code == error_code::TASK_NOT_FOUND => {
                self.start_task(peer, assignment, request::new_task(assignment)).await
            }
            Err(trouble) => Err(trouble.into()),
        }
    }
}

/// Whether the history of a task contains the message.
fn has_message(task: &Task, message: &str) -> bool {
    task.history.iter().flatten().any(|one| one.message_id == message)
}

fn observation_of(
    run: &A2aRunState,
    phase: Phase,
    transcript: Vec<crate::agents::contract::TranscriptEntry>,
) -> Observation {
    Observation {
        state: run.encode(),
        phase,
        transcript,
        usage_scope: run.task.clone().unwrap_or_default(),
        // The protocol does not report tokens.
        usage: Usage::default(),
        turns_with_changes: run.turns,
    }
}

#[async_trait]
impl AgentRuntime for A2a {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        let peer = self.find_peer(assignment).await?;
        let run = match &assignment.continuation {
            Continuation::Resume { state, ask: false } => return Ok(state.clone()),
            Continuation::Resume { state, ask: true } => {
                Box::pin(self.resume_task(&peer, assignment, A2aRunState::decode(state)?)).await?
            }
            Continuation::Checkpoint { state: Some(state), fork: false, .. } => {
                let run = A2aRunState::decode(state)?;
                self.start_task(&peer, assignment, request::follow_up_task(assignment, &run)).await?
            }
            Continuation::Start | Continuation::Checkpoint { .. } => {
                self.start_task(&peer, assignment, request::new_task(assignment)).await?
            }
        };
        Ok(run.encode())
    }

    async fn observe(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        let mut run = A2aRunState::decode(state)?;
        let mut entries: Vec<_> = run.notes.drain(..).map(|note| poll::log_entry(LogLevel::Warning, note)).collect();
        let Some(id) = run.task.clone() else {
            let (phase, answer) = poll::read_answer(&mut run);
            entries.extend(answer);
            return Ok(observation_of(&run, phase, entries));
        };
        match self.find_peer(assignment).await?.get_task(&id).await {
            Ok(task) => {
                let (phase, transcript) = poll::read_task(&task, &mut run);
                entries.extend(transcript);
                Ok(observation_of(&run, phase, entries))
            }
            Err(CallError::Peer(error)) if error.code == error_code::TASK_NOT_FOUND => {
                let failure = Failure::transient("TASK_LOST", "The agent no longer knows the task.");
                Ok(observation_of(&run, Phase::Finished(Finish::Failed(failure)), entries))
            }
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn send_message(
        &self,
        assignment: &Assignment,
        state: &RunState,
        id: MessageId,
        said: &UserMessage,
    ) -> Result<RunState, Failure> {
        let mut run = A2aRunState::decode(state)?;
        if run.was_sent(id) {
            return Ok(state.clone());
        }
        let peer = self.find_peer(assignment).await?;
        let message = request::user_message(id, said, &run);
        let Some(task_id) = run.task.clone() else {
            run.apply_response(peer.send_message(message, None).await?);
            run.mark_sent(id);
            return Ok(run.encode());
        };
        let task = peer.get_task(&task_id).await?;
        if !has_message(&task, &message.message_id) {
            let over = task.status.state.is_terminal();
            let message =
                if over { request::in_new_task(message, &task) } else { Message { task_id: Some(task_id), ..message } };
            match peer.send_message(message, None).await {
                Ok(response) => run.apply_response(response),
                Err(CallError::Peer(error)) if call::is_refusal(&error) => {
                    run.add_note(&format!("The agent did not take the message: {}", error.message));
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
        if poll::needs_input(&task) {
            run.answered = Some(poll::question_id(&task));
        }
        run.mark_sent(id);
        Ok(run.encode())
    }

    async fn abort(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        let Some(id) = A2aRunState::decode(state)?.task else { return Ok(()) };
        let peer = self.find_peer(assignment).await?;
        let mut task = match peer.cancel_task(&id).await {
            Ok(task) => task,
            Err(CallError::Peer(error))
                if matches!(error.code, error_code::TASK_NOT_FOUND | error_code::TASK_NOT_CANCELABLE) =>
            {
                return Ok(());
            }
            Err(trouble) => return Err(trouble.into()),
        };
        for _ in 0..CANCEL_POLLS {
            if task.status.state.is_terminal() || task.status.state == TaskState::Unspecified {
                return Ok(());
            }
            tokio::time::sleep(CANCEL_POLL_INTERVAL).await;
            task = peer.get_task(&id).await?;
        }
        Err(Failure::transient("CANCEL_PENDING", "The agent has not ended the task yet."))
    }

    async fn collect_output(&self, assignment: &Assignment, state: &RunState) -> Result<RunOutput, Failure> {
        let run = A2aRunState::decode(state)?;
        let Some(id) = &run.task else {
            return Ok(RunOutput {
                summary: run.answer.map(|answer| answer.text).unwrap_or_default(),
                ..RunOutput::default()
            });
        };
        match self.find_peer(assignment).await?.get_task(id).await {
            Ok(task) => Ok(output::read_output(&task)),
            Err(CallError::Peer(error)) if error.code == error_code::TASK_NOT_FOUND => Ok(RunOutput::default()),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// Does nothing: tasks of an A2A agent hold no workspace of ours.
    async fn probe(&self, agent: &AgentEndpoint) -> Result<(), Failure> {
        self.cards.probe_agent(agent).await
    }

    async fn release_workspace(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }
}
