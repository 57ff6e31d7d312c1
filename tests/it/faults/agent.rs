//! The scripted agent, watched: every call can be held up, its answer lost, or reported, before and after it is made.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use shared::{
    agents::{
        contract::{AgentRuntime, Assignment, Observation, RunOutput, RunState, UserMessage},
        registry::{Kind, PlatformAgent},
        scripted::ScriptedAgent,
    },
    kernel::{clock::Clock, failure::Failure, id::MessageId},
};

/// One call, by what makes two calls the same to an agent.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Call {
    pub(super) verb: String,
    pub(super) session: String,
    pub(super) run: i32,
    /// What else distinguishes two calls: the beginning of the run, or the id of a message.
    pub(super) id: String,
}

impl Call {
    pub(super) fn line(&self) -> String {
        format!("{} {} {} {}\n", self.verb, self.session, self.run, self.id)
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().map(str::to_owned);
        let (verb, session, run, id) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Some(Self { verb, session, run: run.parse().ok()?, id })
    }
}

/// A hook around a call. Its error replaces the response.
pub(super) type Hook = Box<dyn Fn(Call) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

/// The agent `watched`.
pub(super) struct Watched {
    inner: ScriptedAgent,
    before: Hook,
    after: Hook,
    calls: Mutex<Vec<Call>>,
}

pub(super) fn nothing() -> Hook {
    Box::new(|_| Box::pin(async { Ok(()) }))
}

impl Watched {
    pub(super) fn new(before: Hook, after: Hook) -> Arc<Self> {
        Arc::new(Self { inner: ScriptedAgent::new(Clock::System), before, after, calls: Mutex::default() })
    }

    /// The calls that reached the agent.
    pub(super) fn calls(&self, verb: &str) -> Vec<Call> {
        self.calls.lock().unwrap().iter().filter(|call| call.verb == verb).cloned().collect()
    }

    /// Those that an agent would not take for one and the same.
    pub(super) fn distinct(&self, verb: &str) -> BTreeSet<Call> {
        self.calls(verb).into_iter().collect()
    }

    async fn around<T>(
        &self,
        verb: &str,
        assignment: &Assignment,
        id: String,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let named = Call { verb: verb.to_owned(), session: assignment.session_id.to_string(), run: assignment.run, id };
        (self.before)(named.clone()).await?;
        self.calls.lock().unwrap().push(named.clone());
        let answer = call.await?;
        (self.after)(named).await?;
        Ok(answer)
    }
}

pub(super) fn platform(runtime: Arc<dyn AgentRuntime>) -> PlatformAgent {
    PlatformAgent { name: "watched".to_owned(), kind: Kind::Scripted, capacity: None, runtime: Some(runtime) }
}

fn began(assignment: &Assignment) -> String {
    assignment.run_started_at.timestamp_micros().to_string()
}

#[async_trait]
impl AgentRuntime for Watched {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        self.around("dispatch", assignment, began(assignment), self.inner.dispatch(assignment)).await
    }

    async fn observe(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        self.around("observe", assignment, began(assignment), self.inner.observe(assignment, state)).await
    }

    async fn send_message(
        &self,
        assignment: &Assignment,
        state: &RunState,
        id: MessageId,
        said: &UserMessage,
    ) -> Result<RunState, Failure> {
        self.around("say", assignment, id.to_string(), self.inner.send_message(assignment, state, id, said)).await
    }

    async fn abort(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        self.around("abort", assignment, began(assignment), self.inner.abort(assignment, state)).await
    }

    async fn collect_output(&self, assignment: &Assignment, state: &RunState) -> Result<RunOutput, Failure> {
        self.inner.collect_output(assignment, state).await
    }

    async fn release_workspace(&self, assignment: &Assignment, state: &RunState) -> Result<(), Failure> {
        self.around("release", assignment, began(assignment), self.inner.release_workspace(assignment, state)).await
    }
}
