//! Agents that speak A2A 1.0 (`Agent2Agent`), called at an interface that their card names: HTTP+JSON or JSON-RPC.
//!
//! Looking at the task tells the truth. A push notification is a doorbell: it makes the next look come sooner.

mod brief;
mod call;
mod card;
pub mod doorbell;
mod look;
mod memory;
mod work;

use std::time::Duration;

use async_trait::async_trait;

use ::a2a::{Message, SendMessageResponse, Task, TaskState, error_code};

use crate::{
    auth::key::Pepper,
    id::MessageId,
    outbound::Allowed,
    session::{
        outcome::{Category, Failure},
        usage::Usage,
    },
};

use self::{
    call::{Trouble, Verb},
    card::{Cards, Peer},
    memory::Memory,
};
use super::{AgentRuntime, Assignment, Continuation, Finish, LogLevel, Observation, Phase, RunState, Said, Work};

/// How often and in which pause a cancelled task is looked at until it rests.
const RESTS: u32 = 10;
const REST_PAUSE: Duration = Duration::from_millis(200);

/// What the runtime is made of.
#[derive(Clone)]
pub struct Settings {
    /// What the URLs of agents may lead to besides the public internet.
    pub allowed: Allowed,
    /// Opens the secrets of agents, and makes the tokens of doorbells.
    pub pepper: Pepper,
    /// Where agents reach us; without it nobody is asked to push.
    pub public_url: Option<String>,
    /// How long a call may take.
    pub call_time: Duration,
}

impl Settings {
    pub fn new(allowed: Allowed, pepper: Pepper, public_url: Option<&str>) -> Self {
        Self { allowed, pepper, public_url: public_url.map(str::to_owned), call_time: Duration::from_secs(20) }
    }
}

/// The runtime of agents that speak A2A.
pub struct A2a {
    settings: Settings,
    cards: Cards,
}

impl A2a {
    pub fn new(settings: Settings) -> Self {
        Self { cards: Cards::new(settings.allowed.clone(), settings.call_time), settings }
    }

    async fn peer(&self, assignment: &Assignment) -> Result<Peer, Failure> {
        self.cards.peer(&assignment.agent, &self.settings.pepper).await
    }

    /// Says a message, unless the agent has it already.
    async fn begin(&self, peer: &Peer, assignment: &Assignment, message: Message) -> Result<Memory, Failure> {
        let context = message.context_id.clone();
        if let Some(context) = &context
            && let Some(task) = self.find(peer, context, &message.message_id).await?
        {
            return Ok(Memory::of(&task));
        }
        let push = peer.pushes.then(|| self.bell(assignment)).flatten();
        let sent = match peer.send(message.clone(), push.clone()).await {
            // Not everybody takes a context that the client named.
            Err(Trouble::Peer(error)) if context.is_some() && message.task_id.is_none() && call::is_refusal(&error) => {
                peer.send(Message { context_id: None, ..message }, push).await
            }
            sent => sent,
        };
        match sent? {
            SendMessageResponse::Task(task) => Ok(Memory::of(&task)),
            SendMessageResponse::Message(message) => Ok(Memory::answered_at_once(&message)),
        }
    }

    fn bell(&self, assignment: &Assignment) -> Option<::a2a::TaskPushNotificationConfig> {
        let base = self.settings.public_url.as_deref()?;
        let (tenant, session) = (assignment.tenant_id, assignment.session_id);
        Some(::a2a::TaskPushNotificationConfig {
            url: format!("{}{}", base.trim_end_matches('/'), doorbell::path(tenant, session)),
            id: Some("ioc".to_owned()),
            task_id: String::new(),
            token: Some(doorbell::token(&self.settings.pepper, tenant, session)),
            authentication: None,
            tenant: None,
        })
    }

    /// The task that a message of ours made, where the agent tells. One that cannot list has none for us.
    async fn find(&self, peer: &Peer, context: &str, message: &str) -> Result<Option<Task>, Failure> {
        let listed = match peer.call(&Verb::List { context }).await {
            Ok(listed) => call::tasks(listed),
            Err(Trouble::Failed(failure)) if failure.category == Category::Transient => return Err(failure),
            Err(_) => Vec::new(),
        };
        Ok(listed.into_iter().find(|task| task.context_id == context && holds(task, message)))
    }

    /// Goes on with a task that was held: an agent that still waits for us is told to, and what has ended begins anew.
    async fn resume(&self, peer: &Peer, assignment: &Assignment, mut memory: Memory) -> Result<Memory, Failure> {
        let Some(id) = memory.task.clone() else {
            return self.begin(peer, assignment, brief::again(assignment, &memory)).await;
        };
        match peer.task(&id).await {
            Ok(task) if task.status.state.is_terminal() => {
                self.begin(peer, assignment, brief::again(assignment, &memory)).await
            }
            Ok(task) if look::waits(&task) && !holds(&task, &brief::message_id(assignment)) => {
                peer.send(brief::go_on(assignment, &task), None).await?;
                memory.answered = Some(look::question_id(&task));
                Ok(memory)
            }
            Ok(_) => Ok(memory),
            Err(Trouble::Peer(error)) if error.code == error_code::TASK_NOT_FOUND => {
                self.begin(peer, assignment, brief::anew(assignment)).await
            }
            Err(trouble) => Err(trouble.into()),
        }
    }
}

/// Whether a message of ours is in the history of a task.
fn holds(task: &Task, message: &str) -> bool {
    task.history.iter().flatten().any(|one| one.message_id == message)
}

fn seen(memory: &Memory, phase: Phase, transcript: Vec<super::Entry>) -> Observation {
    Observation {
        state: memory.state(),
        phase,
        transcript,
        usage_scope: memory.task.clone().unwrap_or_default(),
        // The protocol tells nothing of tokens.
        usage: Usage::default(),
        turns_with_changes: memory.turns,
    }
}

#[async_trait]
impl AgentRuntime for A2a {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        let peer = self.peer(assignment).await?;
        let memory = match &assignment.continuation {
            Continuation::Resume { state, ask: false } => return Ok(state.clone()),
            Continuation::Resume { state, ask: true } => {
                Box::pin(self.resume(&peer, assignment, Memory::read(state)?)).await?
            }
            Continuation::Checkpoint { state: Some(state), fork: false, .. } => {
                let memory = Memory::read(state)?;
                self.begin(&peer, assignment, brief::again(assignment, &memory)).await?
            }
            Continuation::Start | Continuation::Checkpoint { .. } => {
                self.begin(&peer, assignment, brief::anew(assignment)).await?
            }
        };
        Ok(memory.state())
    }

    async fn observe(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        let mut memory = Memory::read(state)?;
        let mut told: Vec<_> = memory.notes.drain(..).map(|note| look::log(LogLevel::Warning, note)).collect();
        let Some(id) = memory.task.clone() else {
            let (phase, answer) = look::at_answer(&mut memory);
            told.extend(answer);
            return Ok(seen(&memory, phase, told));
        };
        match self.peer(assignment).await?.task(&id).await {
            Ok(task) => {
                let (phase, transcript) = look::at(&task, &mut memory);
                told.extend(transcript);
                Ok(seen(&memory, phase, told))
            }
            Err(Trouble::Peer(error)) if error.code == error_code::TASK_NOT_FOUND => {
                let failure = Failure::transient("TASK_LOST", "The agent does not know the task any more.");
                Ok(seen(&memory, Phase::Finished(Finish::Failed(failure)), told))
            }
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn say(
        &self,
        assignment: &Assignment,
        state: &RunState,
        id: MessageId,
        said: &Said,
    ) -> Result<RunState, Failure> {
        let mut memory = Memory::read(state)?;
        if memory.has_said(id) {
            return Ok(state.clone());
        }
        let peer = self.peer(assignment).await?;
        let message = brief::said(id, said, &memory);
        let Some(task_id) = memory.task.clone() else {
            memory.follow(peer.send(message, None).await?);
            memory.keep_said(id);
            return Ok(memory.state());
        };
        let task = peer.task(&task_id).await?;
        if !holds(&task, &message.message_id) {
            let over = task.status.state.is_terminal();
            let message =
                if over { brief::after(message, &task) } else { Message { task_id: Some(task_id), ..message } };
            match peer.send(message, None).await {
                Ok(response) => memory.follow(response),
                Err(Trouble::Peer(error)) if call::is_refusal(&error) => {
                    memory.note(&format!("The agent did not take the message: {}", error.message));
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
        if look::waits(&task) {
            memory.answered = Some(look::question_id(&task));
        }
        memory.keep_said(id);
        Ok(memory.state())
    }

    async fn abort(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        let Some(id) = Memory::read(state)?.task else { return Ok(()) };
        let peer = self.peer(assignment).await?;
        let mut task = match peer.cancel(&id).await {
            Ok(task) => task,
            Err(Trouble::Peer(error))
                if matches!(error.code, error_code::TASK_NOT_FOUND | error_code::TASK_NOT_CANCELABLE) =>
            {
                return Ok(());
            }
            Err(trouble) => return Err(trouble.into()),
        };
        for _ in 0..RESTS {
            if task.status.state.is_terminal() || task.status.state == TaskState::Unspecified {
                return Ok(());
            }
            tokio::time::sleep(REST_PAUSE).await;
            task = peer.task(&id).await?;
        }
        Err(Failure::transient("CANCEL_PENDING", "The agent has not ended the task yet."))
    }

    async fn collect(&self, assignment: &Assignment, state: &RunState) -> Result<Work, Failure> {
        let memory = Memory::read(state)?;
        let Some(id) = &memory.task else {
            return Ok(Work {
                summary: memory.answer.map(|answer| answer.text).unwrap_or_default(),
                ..Work::default()
            });
        };
        match self.peer(assignment).await?.task(id).await {
            Ok(task) => Ok(work::of(&task)),
            Err(Trouble::Peer(error)) if error.code == error_code::TASK_NOT_FOUND => Ok(Work::default()),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// The agent keeps its tasks as it likes: there is nothing of ours to give back.
    async fn release(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }
}
